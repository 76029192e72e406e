#pragma once

#include "base/result.h"
#include "cli/up_cluster.h"

namespace howdah::cli {

/// Shows the cluster until q, SIGINT or SIGTERM: on a terminal a picture every 500 ms and keys that
/// break and mend things, elsewhere a line at each change. Nothing is restarted by itself.
void watch_cluster(UpCluster& cluster, bool with_load);

}  // namespace howdah::cli
