"""Howdah's archive and pgBackRest's are one: each pushes into, and fetches from, what the other made."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from backup_site import Site
from cluster import as_postgres


@pytest.fixture
def site(tmp_path_factory):
    def make(**options):
        folder = tmp_path_factory.mktemp("site")
        for parent in [folder, *folder.parents]:
            if parent.stat().st_uid == os.geteuid() and parent != pathlib.Path("/"):
                parent.chmod(parent.stat().st_mode | 0o055)
        return Site(folder, **options)

    return make


def digest(path):
    return hashlib.sha1(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("compress", ["none", "gz", "bz2", "lz4", "zst"])
@pytest.mark.parametrize("cipher", [False, True], ids=["plain", "encrypted"])
def test_what_each_archived_the_other_fetches(site, compress, cipher):
    here = site(compress=compress, cipher=cipher)
    here.ours("--no-online", "stanza-create")
    here.real("--no-online", "stanza-create")  # finds it valid
    wal = here.wal()
    here.ours("archive-push", wal)
    fetched = here.folder / "lock" / "fetched"
    here.real("archive-get", wal.name, fetched)
    assert digest(fetched) == digest(wal)
    second = here.copy_of_wal("0000000100000000000000A1")
    here.real("archive-push", second)
    here.ours("archive-get", second.name, here.data / "again")
    assert digest(here.data / "again") == digest(second)
    names = [path.name for path in here.folder.glob("repo1/archive/demo/15-1/0000000100000000/*")]
    assert len(names) == 2 and all(digest(wal) in name for name in names)


def test_stanza_of_pgbackrest_is_valid_for_howdah(site):
    here = site()
    here.real("--no-online", "stanza-create")
    done = here.ours("--no-online", "--log-level-console=info", "stanza-create")
    assert "stanza 'demo' already exists on repo1 and is valid" in done.stdout


def test_same_name_with_other_content_is_refused_and_nothing_is_overwritten(site):
    here = site(repositories=2)
    here.ours("--no-online", "stanza-create")
    wal = here.copy_of_wal("0000000100000000000000A1")
    here.ours("archive-push", wal)
    again = here.ours("archive-push", wal)
    assert "already exists in the repo1 archive with the same checksum" in again.stdout
    before = {path: path.read_bytes() for path in here.folder.glob("repo*/archive/demo/15-1/*/*")}
    assert len(before) == 2
    with open(wal, "r+b") as file:
        file.seek(1000)
        file.write(b"something else")
    refused = here.ours("archive-push", wal, check=False)
    assert refused.returncode == 45
    assert "already exists in the repo1 archive with a different checksum" in refused.stdout
    assert {path: path.read_bytes() for path in here.folder.glob("repo*/archive/demo/15-1/*/*")} == before


def push_at_once(here, *orders):
    """Several pushers of one file at the same moment; their exit codes."""
    running = [subprocess.Popen([str(word) for word in (here.pgbackrest, f"--config={here.config}", "--stanza=demo",
                                                        "archive-push", *order)], cwd="/", stdout=subprocess.DEVNULL,
                                **as_postgres()) for order in orders]
    return [each.wait(timeout=60) for each in running]


@pytest.mark.parametrize("first, second", [([], []), (["--compress-level=1"], ["--compress-level=9"]),
                                           (["--compress-type=gz"], ["--compress-type=zst"])])
def test_two_pushers_of_one_segment_leave_one_that_is_whole(site, first, second):
    here = site(cipher=True)
    here.ours("--no-online", "stanza-create")
    for number in range(8):
        wal = here.copy_of_wal(f"0000000100000000000000B{number}")
        assert push_at_once(here, [wal, *first], [wal, *second]) == [0, 0]
    stored = sorted(path.name for path in here.folder.glob("repo1/archive/demo/15-1/*/*"))
    assert len(stored) == 8 and len({name[:24] for name in stored}) == 8, stored
    for name in stored:
        here.real("archive-get", name[:24], here.folder / "lock" / "fetched")
        assert digest(here.folder / "lock" / "fetched") == digest(here.wal())
    assert here.real("archive-push", wal).returncode == 0


def test_of_two_that_push_other_bytes_no_one_is_told_that_both_are_archived(site):
    here = site(compress="none")
    here.ours("--no-online", "stanza-create")
    for number in range(8):
        wal = here.copy_of_wal(f"0000000100000000000000B{number}")
        other = here.folder / wal.name
        shutil.copy(wal, other)
        with open(other, "r+b") as file:
            file.seek(1000)
            file.write(b"of another cluster")
        shutil.chown(other, "postgres")
        codes = push_at_once(here, [wal], [other])
        stored = list(here.folder.glob(f"repo1/archive/demo/15-1/*/{wal.name}-*"))
        assert len(stored) == codes.count(0) <= 1 and 45 in codes, (codes, stored)


def test_a_segment_is_archived_only_when_it_is_in_every_repository(site):
    here = site(repositories=2)
    here.ours("--no-online", "stanza-create")
    shutil.rmtree(here.folder / "repo2")
    (here.folder / "repo2").write_text("no folder")
    failed = here.ours("archive-push", here.wal(), check=False)
    assert failed.returncode != 0 and "repo2" in failed.stdout
    fetched = here.ours("archive-get", here.wal().name, here.data / "fetched")
    assert digest(here.data / "fetched") == digest(here.wal()), fetched.stdout


def test_a_stopped_stanza_takes_nothing_from_either_program(site):
    here = site()
    here.ours("--no-online", "stanza-create")
    for stop, start in ((here.ours, here.real), (here.real, here.ours)):
        stop("stop")
        for program in (here.ours, here.real):
            refused = program("archive-push", here.wal(), check=False)
            assert refused.returncode == 62
        start("start")
        here.ours("archive-push", here.wal())
    assert "stop file does not exist" in here.ours("start").stdout


def test_files_of_an_encrypted_repository_are_printed_as_pgbackrest_prints_them(site):
    here = site(cipher=True, compress="none")
    here.real("--no-online", "stanza-create")
    here.real("archive-push", here.wal())
    here.real("--no-online", "backup", "--type=full")
    label = sorted(path.name for path in (here.folder / "repo1/backup/demo").iterdir() if path.name[0] == "2")[0]
    for path in ("archive/demo/archive.info", "backup/demo/backup.info.copy", f"backup/demo/{label}/backup.manifest",
                 f"backup/demo/{label}/pg_data/PG_VERSION"):
        ours = here.ours("repo-get", path).stdout
        assert ours, path
        if "PG_VERSION" not in path:  # 2.45 wants its pass phrase on the command line for these
            assert ours == here.real("repo-get", path).stdout
        else:
            assert ours == "15\n"


def test_what_is_not_archived_is_told_by_exit_code_1(site):
    here = site()
    here.ours("--no-online", "stanza-create")
    for program in (here.ours, here.real):
        assert program("archive-get", "0000000100000000000000FF", here.folder / "none", check=False).returncode == 1


def test_wal_of_another_cluster_is_refused(site):
    here, other = site(), site()
    here.ours("--no-online", "stanza-create")
    foreign = here.data / "pg_wal" / "0000000100000000000000A2"
    shutil.copy(other.wal(), foreign)
    shutil.chown(foreign, "postgres")
    refused = here.ours("archive-push", foreign, check=False)
    assert refused.returncode == 44 and "system identifier" in refused.stdout


def test_a_damaged_segment_is_never_delivered(site):
    here = site(compress="none")
    here.ours("--no-online", "stanza-create")
    here.ours("archive-push", here.wal())
    stored = next(here.folder.glob("repo1/archive/demo/15-1/0000000100000000/*"))
    with open(stored, "r+b") as file:
        file.seek(5000)
        file.write(b"damage")
    refused = here.ours("archive-get", here.wal().name, here.data / "fetched", check=False)
    assert refused.returncode == 200 and "[026]" in refused.stdout and stored.name in refused.stdout
    assert not (here.data / "fetched").exists()


def test_unknown_options_are_named_with_the_nearest(site):
    here = site()
    refused = here.ours("--compres-type=gz", "archive-push", "x", check=False)
    assert refused.returncode == 31 and "did you mean 'compress-type'" in refused.stdout
    here.config.write_text(here.config.read_text() + "pg1-prot=5432\n")
    warned = here.ours("--no-online", "stanza-create")
    assert "pgbackrest.conf:11: there is no option 'pg1-prot'; did you mean 'pg1-port'?" in warned.stdout


def segments_in(here, number):
    return sorted(path.name[:24] for path in here.folder.glob(f"repo{number}/archive/demo/15-1/0000000100000000/*"))


@pytest.mark.parametrize("more", [[], ["--archive-async"]], ids=["alone", "async"])
def test_an_optional_repository_that_is_down_stops_nothing_and_catches_up(site, more):
    here = site(repositories=2)
    here.ours("stanza-create")
    optional = ["--repo-optional=2", *more]
    names = ["0000000100000000000000A1", "0000000100000000000000A2", "0000000100000000000000A3"]
    away, there = here.folder / "away", here.folder / "repo2"
    there.rename(away)
    there.touch()  # a folder cannot be made there
    for name in names[:2]:
        pushed = here.ours(*optional, "archive-push", here.copy_of_wal(name), check=False)
        assert pushed.returncode == 0 and "optional" in pushed.stdout + pushed.stderr, pushed
    assert segments_in(here, 1) == names[:2]
    told = json.loads(here.ours("info", "--output=json").stdout)[0]["repo"]
    assert told[1]["behind"] == {"count": 2, "oldest": names[0]} and "behind" not in told[0]
    assert f"repo2 is behind by 2 WAL file(s), the oldest {names[0]}" in here.ours("info").stdout
    there.unlink()
    away.rename(there)
    mark = next(here.folder.glob("archive/demo/behind/repo2/failed.mark"))
    os.utime(mark, (0, 0))  # half a minute has passed
    here.ours(*optional, "archive-push", here.copy_of_wal(names[2]))
    assert segments_in(here, 2) == segments_in(here, 1) == names
    assert "behind" not in here.ours("info").stdout
    here.ours("verify")


def test_what_cannot_follow_into_an_optional_repository_holds_up_nothing_else(site):
    here = site(repositories=2)
    here.ours("stanza-create")
    names = ["0000000100000000000000A1", "0000000100000000000000A2", "0000000100000000000000A3"]
    taken = here.folder / f"repo2/archive/demo/15-1/0000000100000000/{names[0]}-{'a' * 40}.gz"
    here.run("mkdir", "-p", taken.parent)
    here.run("touch", taken)
    for name in names[:2]:
        here.ours("--repo-optional=2", "archive-push", here.copy_of_wal(name))
    owed = here.folder / "archive/demo/behind/repo2"
    here.run("touch", owed / names[1])  # as if it had been down, too
    next((here.folder / "repo2/archive/demo").glob(f"15-1/*/{names[1]}-*")).unlink()
    told = here.ours("--repo-optional=2", "archive-push", here.copy_of_wal(names[2])).stdout
    assert f"'{names[0]}' cannot follow into repo2" in told and segments_in(here, 2) == names
    assert [path.name for path in owed.iterdir()] == [names[0]]


def test_not_every_repository_may_be_optional(site):
    here = site(repositories=2)
    here.ours("stanza-create")
    wal = here.wal()
    for options in (["--repo-optional=1", "--repo-optional=2"], ["--repo-optional=3"]):
        refused = here.ours(*options, "archive-push", wal, check=False)
        assert refused.returncode == 32 and "repo-optional" in refused.stdout + refused.stderr, refused
    # One that must have it stops all the same.
    (here.folder / "repo1").rename(here.folder / "away")
    (here.folder / "repo1").touch()
    assert here.ours("--repo-optional=2", "archive-push", wal, check=False).returncode != 0
