#pragma once

#include <string>
#include <vector>

namespace howdah::ha {

/// An operator's word that the store lost its data, and who of the known members will not come back
/// (safety-model.md, G7).
struct RecoverOrder {
    std::vector<std::string> missing{};  ///< names or uuids
    bool operator==(const RecoverOrder&) const = default;
};

}  // namespace howdah::ha
