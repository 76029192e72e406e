#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "repo/info/info_document.h"
#include "repo/info/json.h"

/// What archive.info, backup.info and the manifest say alike about the clusters of a stanza.
namespace howdah::repo {

/// Errors: Errc::invalid unless it is a number from 1 that 32 bits hold.
Result<std::uint32_t> history_id(JsonReader& json);
/// The same from the text of a key.
Result<std::uint32_t> history_id(std::string_view text);

/// A version becomes the name of a folder. Errors: Errc::invalid unless it is digits with one dot
/// at most ("15", "9.6").
Result<std::string> valid_version(std::string_view text);

/// Errors: Errc::invalid if it is empty: the key was not there.
Result<> must_have_version(std::string_view version);

std::unexpected<Error> current_not_in_history(std::string_view document, std::uint32_t id);

/// A sink that appends to `text`, which must outlive it.
InfoWriter::Sink into(std::string& text);

}  // namespace howdah::repo
