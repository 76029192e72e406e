"""One data directory and its repositories, with Howdah and pgBackRest on both."""
import os
import pathlib
import pwd
import shutil
import subprocess
import time

from cluster import HOWDAH, as_postgres

PG = pathlib.Path("/usr/lib/postgresql/15/bin")
PGBACKREST = "/usr/bin/pgbackrest"


class Site:
    """A data directory, a repository or two, and both programs on them."""

    def __init__(self, folder, compress="gz", cipher=False, repositories=1, cluster=True):
        self.folder = folder
        self.data = folder / "data"
        self.pgbackrest = folder / "bin" / "pgbackrest"  # Howdah under that name
        self.pgbackrest.parent.mkdir()
        self.pgbackrest.symlink_to(HOWDAH)
        text = f"[global]\nlog-path={folder}\nlock-path={folder}/lock\nspool-path={folder}\ncompress-type={compress}\n"
        for number in range(1, repositories + 1):
            text += f"repo{number}-path={folder}/repo{number}\nrepo{number}-retention-full=2\n"
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

    def start(self, data=None):
        """PostgreSQL on a data directory, reached by a socket alone; it archives with pgBackRest."""
        data = data or self.data
        archive = f"{PGBACKREST} --config={self.config} --stanza=demo archive-push %p"
        self.run(PG / "pg_ctl", "start", "-w", "-s", "-D", data, "-l", self.folder / "postgresql.log", "-o",
                 f"-k {self.folder} -h '' -c archive_mode=on -c fsync=off -c archive_command='{archive}'")

    def stop(self, data=None):
        self.run(PG / "pg_ctl", "stop", "-w", "-s", "-m", "fast", "-D", data or self.data)

    def sql(self, text, database="postgres"):
        done = self.run("/usr/bin/psql", "-XAtq", "-h", self.folder, "-U", "postgres", "-d", database, "-v",
                        "ON_ERROR_STOP=1", "-c", text)
        return done.stdout.strip()

    def wait_for(self, text, answer, seconds=60):
        deadline = time.monotonic() + seconds
        while self.sql(text) != answer:
            assert time.monotonic() < deadline, (text, (self.folder / "postgresql.log").read_text()[-3000:])
            time.sleep(0.05)
