#pragma once

namespace howdah::fencer {

/// The small process that is the postmaster's parent (safety-model.md, F1, F4):
///
///     howdah fencer --state-dir D --deadline-page P --log FILE -- /path/postgres -D ... args
///
/// Returns in the caller 0 as soon as the postmaster was started by a fencer in its own session,
/// which goes on alone until the whole process tree is dead; else 1 with one line on stderr.
/// Environment and working directory are the postmaster's. Exactly one fencer lives per state
/// directory (flock on D/fencer.lock).
///
/// It kills the tree at the instant in the page, when the postmaster ends in any way, and when
/// asked. Its socket D/fencer.sock (mode 0600, same user only) takes lines:
///
///     status             status pid=N state=running|killing deadline=NANOS locked=yes|no
///     realtime=yes|no
///                        oom=yes|no reason=-|exited|deadline|request
///     signal INT         signal ok | signal error TEXT       (INT QUIT TERM HUP USR1)
///     kill [MILLIS]      dead | stuck PID                    (default 5000 ms; it goes on trying)
///
/// and tells everyone connected `exit STATUS REASON` once the tree is dead: STATUS is an exit code
/// or SIGn. Then it leaves D/fencer.exit (the same line, and the boot time in nanoseconds), removes
/// the socket and ends. Only plain system calls and no heap from the moment the postmaster runs.
int run(int argc, char** argv);

}  // namespace howdah::fencer
