"""A repository host and the database host beside it, with the configuration files of the walkthrough."""
import json
import signal
import subprocess

from backup_site import Site
from cluster import HOWDAH, NETWORK, as_postgres, wait_for

REPO_ADDRESS, DATABASE_ADDRESS, OTHER_ADDRESS = f"{NETWORK}.86", f"{NETWORK}.81", f"{NETWORK}.87"


class RepoHost(Site):
    """A Site whose repository is on another host: `ours` runs verbs on the database host, `there` on the other one."""

    def __init__(self, folder, more="", hosts=None, cluster=True):
        super().__init__(folder, cluster=cluster)
        self.tls, self.there_config = folder / "tls", folder / "there.conf"
        names = hosts or {"pgvm6": REPO_ADDRESS, "pgvm1": DATABASE_ADDRESS, "pgvm7": OTHER_ADDRESS}
        self.run(HOWDAH, "cert", self.tls, "--ca", *[f"--host={name},{at}" for name, at in names.items()])
        self.there_config.write_text(
            f"[demo]\npg1-path={self.data}\npg1-port=5432\npg1-host={DATABASE_ADDRESS}\npg1-socket-path={folder}\n\n"
            f"[global]\nrepo1-path={folder}/repo1\nrepo1-retention-full=2\nstart-fast=y\n"
            f"lock-path={folder}/lock-there\nlog-path={folder}\n" + more.replace("FOLDER", str(folder)))
        self.set_config("pgvm1")
        self.yaml = folder / "repo.yml"
        self.yaml.write_text(f"repo:\n  config: {self.there_config}\n  listen: {REPO_ADDRESS}:8432\n  tls: {self.files('pgvm6')}\n")
        self.log = folder / "repo.log"
        self.process = None

    def files(self, name):
        return f"{{ca: {self.tls}/ca.crt, cert: {self.tls}/{name}.crt, key: {self.tls}/{name}.key}}"

    def set_config(self, name, more="", host=REPO_ADDRESS):
        """That of a database host which shows this certificate."""
        self.config.write_text(
            f"[demo]\npg1-path={self.data}\npg1-port=5432\npg1-socket-path={self.folder}\n\n"
            f"[global]\nlog-level-file=detail\nrepo1-host={host}\nrepo1-host-user=postgres\n"
            f"repo1-host-ca-file={self.tls}/ca.crt\nrepo1-host-cert-file={self.tls}/{name}.crt\n"
            f"repo1-host-key-file={self.tls}/{name}.key\n"
            f"log-path={self.folder}\nlock-path={self.folder}/lock\nspool-path={self.folder}\n{more}")

    def serve(self):
        self.process = subprocess.Popen([HOWDAH, "repo", self.yaml], stderr=self.log.open("a"), cwd="/", **as_postgres())
        count = self.log.read_text().count("listens on")
        wait_for(lambda: self.log.read_text().count("listens on") > count or self.process.poll() is not None, "the host")
        assert self.process.poll() is None, self.log.read_text()

    def end(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)

    def start(self, data=None, archives=True, more=""):
        data, mode = data or self.data, "on" if archives else "off"
        archive = f"{self.pgbackrest} --config={self.config} --stanza=demo archive-push %p"
        self.run("/usr/lib/postgresql/15/bin/pg_ctl", "start", "-w", "-s", "-D", data, "-l", self.folder / "postgresql.log",
                 "-o", f"-k {self.folder} -h '' -c archive_mode={mode} -c fsync=off -c archive_command='{archive}' {more}")

    def there(self, *words, check=True):
        return self.run(self.pgbackrest, f"--config={self.there_config}", "--stanza=demo", *words, check=check)

    def backups_by(self, program):
        return json.loads(program("info", "--output=json").stdout)[0]["backup"]

    def begin(self, *words):
        """A verb on the database host that goes on beside the test."""
        return subprocess.Popen([str(word) for word in (self.pgbackrest, f"--config={self.config}", "--stanza=demo", *words)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", **as_postgres())
