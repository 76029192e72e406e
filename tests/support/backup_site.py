"""One data directory and its repositories, with Howdah and pgBackRest on both."""
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import time

import pytest
from cluster import HOWDAH, as_postgres

PG = pathlib.Path("/usr/lib/postgresql/15/bin")
PGBACKREST = "/usr/bin/pgbackrest"
KILLS = int(os.environ.get("HOWDAH_KILLS", "20"))  # `./dev soak` asks for more


class Site:
    """A data directory, a repository or two, and both programs on them."""

    def __init__(self, folder, compress="gz", cipher=False, repositories=1, cluster=True, bucket=None):
        self.folder = folder
        self.data = folder / "data"
        self.howdah = HOWDAH
        self.pgbackrest = folder / "bin" / "pgbackrest"  # Howdah under that name
        self.pgbackrest.parent.mkdir()
        self.pgbackrest.symlink_to(HOWDAH)
        text = f"[global]\nlog-path={folder}\nlock-path={folder}/lock\nspool-path={folder}\ncompress-type={compress}\n"
        for number in range(1, repositories + 1):
            text += bucket.config(number) if bucket else f"repo{number}-path={folder}/repo{number}\n"
            text += f"repo{number}-retention-full=2\n"
            if cipher:
                text += f"repo{number}-cipher-type=aes-256-cbc\nrepo{number}-cipher-pass=secret {number}\n"
        self.config = folder / "pgbackrest.conf"
        self.config.write_text(text + f"[demo]\npg1-path={self.data}\npg1-socket-path={folder}\n")
        user = pwd.getpwnam("postgres")
        for path in [folder, *folder.rglob("*")]:
            if not path.is_symlink():
                os.chown(path, user.pw_uid, user.pw_gid)
        if cluster:
            self.run(PG / "initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--data-checksums")

    def run(self, *words, check=True):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300, cwd="/",
                              env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, **as_postgres())
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done

    def real(self, *words, check=True):
        return self.run(PGBACKREST, f"--config={self.config}", "--stanza=demo", *words, check=check)

    def ours(self, *words, check=True):
        return self.run(self.pgbackrest, f"--config={self.config}", "--stanza=demo", *words, check=check)

    def wal(self):
        """The first segment of the new cluster."""
        return next(path for path in sorted((self.data / "pg_wal").iterdir()) if len(path.name) == 24)

    def copy_of_wal(self, name):
        """Another segment of this cluster: the same bytes under another name."""
        path = self.data / "pg_wal" / name
        shutil.copy(self.wal(), path)
        shutil.chown(path, "postgres")
        return path

    def start(self, data=None, archives=True):
        """PostgreSQL on a data directory, reached by a socket alone; it archives with pgBackRest."""
        data, mode = data or self.data, "on" if archives else "off"
        archive = f"{PGBACKREST} --config={self.config} --stanza=demo archive-push %p"
        self.run(PG / "pg_ctl", "start", "-w", "-s", "-D", data, "-l", self.folder / "postgresql.log", "-o",
                 f"-k {self.folder} -h '' -c archive_mode={mode} -c fsync=off -c archive_command='{archive}'")

    def stop(self, data=None, mode="fast"):
        self.run(PG / "pg_ctl", "stop", "-w", "-s", "-m", mode, "-D", data or self.data)

    def sql(self, text, database="postgres"):
        done = self.run("/usr/bin/psql", "-XAtq", "-h", self.folder, "-U", "postgres", "-d", database, "-v",
                        "ON_ERROR_STOP=1", "-c", text)
        return done.stdout.strip()

    def wait_for(self, text, answer, seconds=60):
        deadline = time.monotonic() + seconds
        while self.sql(text) != answer:
            assert time.monotonic() < deadline, (text, (self.folder / "postgresql.log").read_text()[-3000:])
            time.sleep(0.05)

    def fill(self, text):
        self.sql("create table if not exists t (n int primary key, text text)")
        self.sql(f"insert into t select n + (select count(*) from t), repeat('{text} ', 20) from generate_series(1, 3000) n")

    def sums(self):
        """What the table of fill() holds, in short."""
        return self.sql("select count(*), sum(hashtext(t::text)) from t")

    def backups(self):
        return json.loads(self.real("info", "--output=json").stdout)[0]["backup"]

    def check_restore(self, program, label, sums):
        """What `program` restores starts, and has the rows that were there."""
        data = self.folder / "restored"
        self.run("rm", "-rf", data)
        self.run("mkdir", "-m", "700", data)
        program("restore", f"--pg1-path={data}", f"--set={label}", "--type=immediate", "--target-action=promote")
        self.stop()
        self.start(data)
        self.wait_for("select not pg_is_in_recovery()", "t")
        assert self.sums() == sums
        self.stop(data)
        self.start()

    def check_verify(self):
        """Both programs read everything, and find nothing."""
        found = self.real("verify", "--log-level-console=info").stdout
        assert "invalid" not in found and "missing" not in found, found
        assert self.run(self.howdah, f"--config={self.config}", "--stanza=demo", "verify").returncode == 0


@pytest.fixture
def site(tmp_path_factory):
    """Makes a Site; its servers are stopped in the end."""
    made = []

    def make(**options):
        folder = tmp_path_factory.mktemp("site")
        for parent in [folder, *folder.parents]:
            if parent.stat().st_uid == os.geteuid() and parent != pathlib.Path("/"):
                parent.chmod(parent.stat().st_mode | 0o055)
        made.append(Site(folder, **options))
        return made[-1]

    yield make
    for each in made:
        for data in each.folder.glob("*/postmaster.pid"):
            each.stop(data.parent, "immediate")  # "fast" waits for an archive that may be broken
