"""One data directory and its repositories, with Howdah and pgBackRest on both."""
import os
import pathlib
import pwd
import shutil
import subprocess

from cluster import HOWDAH, as_postgres

PG = pathlib.Path("/usr/lib/postgresql/15/bin")
PGBACKREST = "/usr/bin/pgbackrest"


class Site:
    """A data directory, a repository or two, and both programs on them."""

    def __init__(self, folder, compress="gz", cipher=False, repositories=1):
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
        self.config.write_text(text + f"[demo]\npg1-path={self.data}\n")
        user = pwd.getpwnam("postgres")
        for path in [folder, *folder.rglob("*")]:
            if not path.is_symlink():
                os.chown(path, user.pw_uid, user.pw_gid)
        self.run(PG / "initdb", "-D", self.data, "-A", "trust", "-U", "postgres")

    def run(self, *words, check=True):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, cwd="/",
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
