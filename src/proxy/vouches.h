#pragma once

#include <vector>

#include "ha/cluster.h"
#include "ha/promise.h"
#include "io/task.h"
#include "io/tls.h"

namespace howdah::proxy {

/// Asks all members over their REST ports (GET /howdah/vouch), in parallel, for at most `limit`.
/// Who is silent, or can't be understood, is not in the answer.
io::Task<std::vector<ha::Vouch>> ask_for_vouches(io::Executor executor, io::Clock& clock,
                                                 std::vector<ha::Member> members,
                                                 std::shared_ptr<const io::TlsFiles> tls,
                                                 Nanos limit);

}  // namespace howdah::proxy
