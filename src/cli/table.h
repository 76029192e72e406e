#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "ha/cluster.h"

namespace howdah::cli {

enum class Format : std::uint8_t { pretty, tsv, json, yaml };
/// `text`: pretty, tsv, json, yaml, yml. Errors: Errc::invalid.
Result<Format> parse_format(const std::string& text);

struct ListLook {
    Format format = Format::pretty;
    bool extended = false;  ///< the optional columns even where all are empty
    bool classic = false;   ///< as Patroni 3.0 printed it: `Lag in MB`, no system identifier
    bool topology = false;  ///< in the order of replication, who replicates below whom
};

/// What `list` prints of one cluster: patroni-compatibility.md 4.3 and 17.6, byte for byte. Ends
/// with a newline.
std::string render_list(const ha::Cluster& cluster, const std::string& name, const ListLook& look);

/// While some members are Patroni's and some Howdah's: a line that says so and what is weaker.
std::string mixed_note(const ha::Cluster& cluster);
/// The keys of `/config` that have no effect, a line; empty: all have one.
std::string idle_keys_note(const ha::Cluster& cluster);

/// What `history` prints (patroni-compatibility.md 4.2).
std::string render_history_table(const ha::Cluster& cluster, Format format);

struct Column {
    std::string header{};
    bool right = false;
};
/// A table as prettytable draws it: `title` into the top border; rules between the rows as soon as
/// one cell has several lines. Ends with a newline.
std::string draw_table(const std::string& title, const std::vector<Column>& columns,
                       const std::vector<std::vector<std::string>>& rows);

}  // namespace howdah::cli
