#pragma once

#include "backup/site.h"

namespace howdah::backup {

/// A verb of a repository host's command line whose clusters are all on other hosts: `backup` and
/// the stanza- verbs run beside the primary, `check` beside every server that answers. What they
/// say is noted here as it comes. After `backup`, `site` has those repositories that got one.
///
/// When the primary goes away meanwhile and another host is primary within a minute, `backup` is
/// begun again there. Errors: the verb's own with its exit code; ExitCode::db_connect when no
/// primary answers.
Result<> run_on_database_hosts(Site& site);

}  // namespace howdah::backup
