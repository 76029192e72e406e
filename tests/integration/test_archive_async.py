"""Archiving that keeps up: by a process in the background, as pgbackrest has it, and by the agent's pusher."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

import pytest
from backup_site import site  # noqa: F401
from cluster import HOWDAH, as_postgres, wait_for

ASYNC = "--archive-async"


def digest(path):
    return hashlib.sha1(path.read_bytes()).hexdigest()


def name_of(number):
    return f"00000001000000000000{number:04X}"


def make_ready(here, *numbers):
    """Segments that PostgreSQL wants archived, each of a content of its own."""
    made = []
    for number in numbers:
        path = here.copy_of_wal(name_of(number))
        with open(path, "r+b") as file:
            file.seek(100000)
            file.write(f"segment {number}".encode())
        mark = here.data / "pg_wal/archive_status" / f"{path.name}.ready"
        mark.touch()
        shutil.chown(mark, "postgres")
        made.append(path)
    return made


def is_archived(here, path, repository=1):
    stored = list(here.folder.glob(f"repo{repository}/archive/demo/15-1/*/{path.name}-{digest(path)}*"))
    return len([each for each in stored if not each.name.endswith(".tmp")]) == 1


def out(here):
    return here.folder / "archive/demo/out"


def background(here):
    """Processes in the background that work on this site."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if f"--config={here.config}" in words and any(word.endswith(":async") for word in words):
                    found.append(int(entry.name))
    return found


def wait_until_idle(here):
    wait_for(lambda: not background(here), "the end of the process in the background")


def archived_by_postgres(here, path):
    mark = here.data / "pg_wal/archive_status" / f"{path.name}.ready"
    mark.rename(mark.with_suffix(".done"))


def test_one_request_pushes_all_that_is_ready(site):
    here = site(repositories=2)
    here.ours("--no-online", "stanza-create")
    wal = make_ready(here, *range(0xA0, 0xA6))
    told = here.ours(ASYNC, "--process-max=2", "--log-level-console=info", "archive-push", wal[0]).stdout
    assert f"pushed WAL file '{wal[0].name}' to the archive asynchronously" in told
    wait_until_idle(here)
    assert sorted(path.name for path in out(here).iterdir()) == [f"{path.name}.ok" for path in wal]
    assert all(is_archived(here, path, number) for path in wal for number in (1, 2))
    log = (here.folder / "demo-archive-push-async.log").read_text()
    assert f"push 6 WAL file(s) to archive: {wal[0].name}...{wal[5].name}" in log
    # The next are answered from the spool, also by the other program, and what is archived leaves it.
    for path in wal[:3]:
        archived_by_postgres(here, path)
    told = here.real(ASYNC, "--log-level-console=info", "archive-push", wal[3]).stdout
    assert "asynchronously" in told
    here.ours(ASYNC, "archive-push", *make_ready(here, 0xA7))
    wait_until_idle(here)
    assert sorted(path.name for path in out(here).iterdir()) == [f"{name_of(n)}.ok" for n in (0xA3, 0xA4, 0xA5, 0xA7)]


def test_ours_goes_on_where_pgbackrest_was(site):
    here = site()
    here.ours("--no-online", "stanza-create")
    wal = make_ready(here, 0xA0, 0xA1)
    here.real(ASYNC, "archive-push", wal[0])
    wait_for(lambda: (out(here) / f"{wal[1].name}.ok").exists(), "pgbackrest's second segment")
    told = here.ours(ASYNC, "--log-level-console=info", "archive-push", wal[1]).stdout
    assert "asynchronously" in told and is_archived(here, wal[1])
    # Of other content under that name it says nothing: the ".ok" is older.
    with open(wal[1], "r+b") as file:
        file.write(wal[1].read_bytes()[:40])
        file.seek(5000)
        file.write(b"another cluster's")
    refused = here.ours(ASYNC, "archive-push", wal[1], check=False)
    assert refused.returncode == 45 and "different checksum" in refused.stdout


def test_what_was_copied_here_with_its_old_time_is_not_ok(site):
    """As by `cp -a` of another data directory: no younger than the ".ok" by its time of modification."""
    here = site()
    here.ours("--no-online", "stanza-create")
    wal = make_ready(here, 0xA0, 0xA1)
    here.ours(ASYNC, "archive-push", wal[0])
    told = out(here) / f"{wal[1].name}.ok"
    wait_for(told.exists, "the second segment")
    with open(wal[1], "r+b") as file:
        file.seek(5000)
        file.write(b"another life's")

    def put_back():
        os.utime(wal[1], (0, 0))
        return wal[1].stat().st_ctime_ns > told.stat().st_mtime_ns  # the clock of files has ticks

    wait_for(put_back, "a time after that of the .ok", every=0.001)
    refused = here.ours(ASYNC, "archive-push", wal[1], check=False)
    assert refused.returncode == 45 and "different checksum" in refused.stdout


def test_a_repository_that_is_down_stops_no_other_and_nothing_is_ok(site):
    here = site(repositories=2)
    here.ours("--no-online", "stanza-create")
    (here.folder / "repo2").rename(here.folder / "away")
    (here.folder / "repo2").write_text("no folder")
    wal = make_ready(here, 0xA0, 0xA1)
    failed = here.ours(ASYNC, "archive-push", wal[0], check=False)
    assert failed.returncode != 0 and "repo2" in failed.stdout
    wait_until_idle(here)
    assert is_archived(here, wal[0]) and not list(out(here).glob("*.ok"))
    assert [path.name for path in out(here).iterdir()] == [f"{wal[0].name}.error"], "none is begun after an error"
    (here.folder / "repo2").unlink()
    (here.folder / "away").rename(here.folder / "repo2")
    here.ours(ASYNC, "archive-push", wal[0])
    assert is_archived(here, wal[0], 2)


def test_killed_in_the_background_it_loses_nothing(site):
    here = site()
    here.ours("--no-online", "stanza-create")
    draw = random.Random(17)
    killed = 0
    for turn in range(20):
        wal = make_ready(here, *(0x100 + 4 * turn + n for n in range(3)))
        asking = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", ASYNC, "--process-max=2",
                                   "archive-push", wal[0]], stdout=subprocess.DEVNULL, cwd="/", **as_postgres())
        wait_for(lambda: background(here) or asking.poll() is not None, "the process in the background", every=0.001)
        end = time.monotonic() + draw.random() * 0.15
        while time.monotonic() < end:
            pass
        for pid in background(here):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        assert asking.wait(timeout=60) == 0, "it pushes the file itself then"
        told = {path.stem for path in out(here).glob("*.ok")} | {wal[0].name}
        missing = [path.name for path in wal if path.name in told and not is_archived(here, path)]
        assert not missing, f"turn {turn}"
        for path in wal:
            here.ours(ASYNC, "archive-push", path)
            assert is_archived(here, path)
            archived_by_postgres(here, path)
        wait_until_idle(here)
    assert killed > 10
    here.check_verify()


def test_one_that_hangs_in_the_background_holds_nobody_up(site):
    here = site()
    here.ours("--no-online", "stanza-create")
    wal = make_ready(here, 0xA0)
    lock = here.folder / "lock/demo-archive.lock"
    with open(lock, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        told = here.ours(ASYNC, "--archive-timeout=1", "archive-push", wal[0]).stdout
        assert "says nothing" in told and is_archived(here, wal[0])
        here.ours(ASYNC, "--archive-timeout=1", "archive-get", wal[0].name, here.data / "fetched")
        assert digest(here.data / "fetched") == digest(wal[0])


def test_above_its_limit_the_queue_is_dropped_and_told(site):
    here = site()
    here.ours("--no-online", "stanza-create")
    wal = make_ready(here, 0xA0, 0xA1, 0xA2)
    for way in ([], [ASYNC]):
        told = here.ours(*way, "--archive-push-queue-max=40MB", "archive-push", wal[0])
        assert f"dropped WAL file '{wal[0].name}' because archive queue exceeded 40MB" in told.stdout
    assert not is_archived(here, wal[0])
    here.ours("--archive-push-queue-max=48MB", "archive-push", wal[0])
    assert is_archived(here, wal[0])


def test_a_spool_that_cannot_be_written_is_named_with_its_option(site):
    here = site()
    here.ours("--no-online", "stanza-create")
    wal = make_ready(here, 0xA0)
    locked = here.folder / "locked"
    locked.mkdir(mode=0o555)
    for words in (["archive-push", wal[0]], ["archive-get", wal[0].name, here.data / "fetched"]):
        told = here.ours(ASYNC, f"--spool-path={locked}", *words).stdout.splitlines()
        assert len(told) == 1 and "WARN" in told[0] and "option 'spool-path'" in told[0] and str(locked) in told[0]
    assert is_archived(here, wal[0]) and digest(here.data / "fetched") == digest(wal[0]), "archiving goes on"


@contextlib.contextmanager
def pusher(here, path=None):
    """What the agent does for archiving: it listens, and starts the pusher."""
    path = path or pathlib.Path(f"{here.data}.howdah/archive.sock")
    here.run("mkdir", "-p", "-m", "700", path.parent)
    code = ("import os, signal, socket, subprocess, sys\n"
            "listener = socket.socket(socket.AF_UNIX)\n"
            "listener.bind(sys.argv[2]); os.chmod(sys.argv[2], 0o600); listener.listen(16); print('ready', flush=True)\n"
            "child = subprocess.Popen([sys.argv[1], 'archive-pusher', str(os.getpid())], stdin=listener)\n"
            "print(child.pid, flush=True); child.wait()\n")
    agent = subprocess.Popen(["/usr/bin/python3", "-c", code, HOWDAH, path], stdout=subprocess.PIPE, text=True, cwd="/",
                             **as_postgres())
    try:
        assert agent.stdout.readline() == "ready\n"
        agent.pusher = int(agent.stdout.readline())
        yield agent
    finally:
        agent.kill()
        agent.wait()
        agent.stdout.close()
        path.unlink()


def test_the_pusher_pushes_ahead_and_says_only_what_is_archived(site):
    here = site(repositories=2, cipher=True)
    here.ours("--no-online", "stanza-create")
    wal = make_ready(here, *range(0xA0, 0xA8))
    with pusher(here):
        for path in wal:
            told = here.ours("--process-max=2", "--log-level-console=info", "archive-push", path).stdout
            assert f"pushed WAL file '{path.name}' to the archive by the agent" in told
            assert is_archived(here, path) and is_archived(here, path, 2)
            archived_by_postgres(here, path)
        again = here.ours("archive-push", wal[0]).stdout
        assert "already exists in the repo1 archive with the same checksum" in again
        with open(wal[1], "r+b") as file:
            file.seek(5000)
            file.write(b"something else")
        assert here.ours("archive-push", wal[1], check=False).returncode == 45
        here.ours("stop")
        assert here.ours("archive-push", wal[2], check=False).returncode == 62
        here.ours("start")
        (here.folder / "repo2").rename(here.folder / "away")
        failed = here.ours("archive-push", *make_ready(here, 0xA9), check=False)
        assert failed.returncode != 0 and "repo2" in failed.stdout
    here.run("mv", here.folder / "away", here.folder / "repo2")
    here.check_verify()


def test_without_a_living_pusher_the_command_pushes_itself(site):
    here = site()
    here.ours("--no-online", "stanza-create")
    wal = make_ready(here, *range(0xA0, 0xA4))
    with pusher(here) as agent:
        os.kill(agent.pusher, signal.SIGSTOP)
        begun = time.monotonic()
        told = here.ours("--log-level-console=info", "archive-push", wal[0]).stdout
        assert f"'{wal[0].name}' to the archive\n" in told and 9 < time.monotonic() - begun < 30
        asking = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", "archive-push", wal[1]],
                                  cwd="/", **as_postgres())
        os.kill(agent.pusher, signal.SIGKILL)
        assert asking.wait(timeout=30) == 0 and is_archived(here, wal[1])
    # Nobody at all, a socket that nobody listens on, and one of another user.
    here.ours("archive-push", wal[2])
    path = pathlib.Path(f"{here.data}.howdah/archive.sock")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    here.ours("archive-push", wal[3])
    assert is_archived(here, wal[2]) and is_archived(here, wal[3])
    path.unlink()


def test_killed_at_any_moment_the_pusher_loses_nothing(site):
    here = site()
    here.ours("--no-online", "stanza-create")
    draw = random.Random(18)
    for turn in range(20):
        wal = make_ready(here, *(0x100 + 4 * turn + n for n in range(3)))
        with pusher(here) as agent:
            asking = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", "--process-max=2",
                                       "archive-push", wal[0]], stdout=subprocess.DEVNULL, cwd="/", **as_postgres())
            end = time.monotonic() + draw.random() * 0.15
            while time.monotonic() < end:
                pass
            with contextlib.suppress(ProcessLookupError):
                os.kill(agent.pusher, signal.SIGKILL)
            assert asking.wait(timeout=60) == 0 and is_archived(here, wal[0]), f"turn {turn}"
        for path in wal[1:]:
            here.ours("archive-push", path)
            assert is_archived(here, path)
        for path in wal:
            archived_by_postgres(here, path)
    here.check_verify()


@pytest.mark.parametrize("with_pusher", [False, True], ids=["background", "pusher"])
def test_postgresql_archives_all_it_writes(site, with_pusher):
    here = site()
    here.ours("--no-online", "stanza-create")
    command = f"{here.pgbackrest} --config={here.config} --stanza=demo {ASYNC} --process-max=2 archive-push %p"
    with pusher(here) if with_pusher else contextlib.nullcontext():
        here.run("/usr/lib/postgresql/15/bin/pg_ctl", "start", "-w", "-s", "-D", here.data, "-l",
                 here.folder / "postgresql.log", "-o",
                 f"-k {here.folder} -h '' -c archive_mode=on -c fsync=off -c archive_command='{command}'")
        for turn in range(8):
            here.fill(f"turn {turn}")
            last = here.sql("select pg_walfile_name(pg_switch_wal())")
        here.wait_for(f"select last_archived_wal >= '{last}' from pg_stat_archiver", "t")
        assert here.sql("select failed_count from pg_stat_archiver") == "0"
        here.stop()
    wait_until_idle(here)
    here.check_verify()


def test_the_queue_is_filled_ahead_and_never_with_a_part(site):
    here = site()
    here.ours("--no-online", "stanza-create")
    wal = make_ready(here, *range(0xA0, 0xAC))
    for path in wal:
        here.ours("archive-push", path)
    queue = here.folder / "archive/demo/in"
    options = [ASYNC, "--process-max=2", "--archive-get-queue-max=96MB"]
    fetched = here.data / "fetched"
    for at, path in enumerate(wal):
        told = here.ours(*options, "--log-level-console=info", "archive-get", path.name, fetched).stdout
        assert f"found {path.name} in the archive asynchronously" in told
        assert digest(fetched) == digest(path)
        fetched.unlink()
        if at == 0:
            wait_until_idle(here)
            assert sorted(each.name for each in queue.iterdir()) == [each.name for each in wal[1:6]]
    wait_until_idle(here)
    missing = here.ours(*options, "archive-get", name_of(0xAC), fetched, check=False)
    assert missing.returncode == 1 and not fetched.exists()
    # Archived meanwhile: what was said before does not count.
    here.ours("archive-push", *make_ready(here, 0xAC))
    here.ours(*options, "archive-get", name_of(0xAC), fetched)
    wait_until_idle(here)
    # A part of a segment, as a loss of power leaves it, and another cluster's, are never moved into place.
    for content in (wal[3].read_bytes()[:5_000_000], wal[3].read_bytes()[:20] + b"x" * (16 * 2**20 - 20)):
        (queue / wal[3].name).write_bytes(content)
        here.ours(*options, "archive-get", wal[3].name, fetched)
        assert digest(fetched) == digest(wal[3])
        wait_until_idle(here)


def test_what_could_not_be_looked_at_is_not_missing(site):
    here = site(repositories=2)
    here.ours("--no-online", "stanza-create")
    wal = make_ready(here, 0xA0)
    shutil.rmtree(here.folder / "repo2")
    for way in ([], [ASYNC]):
        told = here.ours(*way, "--archive-timeout=1", "archive-get", wal[0].name, here.data / "fetched", check=False)
        assert told.returncode == 200 and "repo2" in told.stdout
        wait_until_idle(here)
    here.ours("archive-push", wal[0], check=False)  # into the first alone
    for way in ([], [ASYNC]):
        here.ours(*way, "archive-get", wal[0].name, here.data / "fetched")
        assert digest(here.data / "fetched") == digest(wal[0])


def test_killed_while_it_fills_the_queue_it_delivers_whole_segments(site):
    here = site()
    here.ours("--no-online", "stanza-create")
    wal = make_ready(here, *range(0xA0, 0xB0))
    for path in wal:
        here.ours("archive-push", path)
    draw = random.Random(19)
    fetched = here.data / "fetched"
    for turn in range(20):
        path = wal[turn % 8]
        asking = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", ASYNC, "--process-max=2",
                                   "archive-get", path.name, fetched], stdout=subprocess.DEVNULL, cwd="/", **as_postgres())
        wait_for(lambda: background(here) or asking.poll() is not None, "the process in the background", every=0.001)
        end = time.monotonic() + draw.random() * 0.1
        while time.monotonic() < end:
            pass
        for pid in background(here):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert asking.wait(timeout=60) == 0 and digest(fetched) == digest(path), f"turn {turn}"
        fetched.unlink()
        wait_until_idle(here)
