"""A bucket on a real S3 server with TLS: s3rver from npm, at the versions of tests/support/s3/package-lock.json. It reads
signatures without checking them; those are held against AWS's own examples in src/files/s3/signature_test.cpp."""
import fcntl
import os
import pathlib
import shutil
import socket
import subprocess

from cluster import NETWORK, ROOT, wait_for

KEY = SECRET = "S3RVER"  # the server knows these alone


def installed():
    """Where s3rver lies; npm fetches it once."""
    source, folder = ROOT / "tests/support/s3", ROOT / "build/s3rver"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        locked = (source / "package-lock.json").read_bytes()
        done = folder / "node_modules/.package-lock.of-test.json"
        if not done.exists() or done.read_bytes() != locked:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, folder / name)
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True, timeout=300)
            done.write_bytes(locked)
    return folder / "node_modules/.bin/s3rver"


class Bucket:
    host, port, name = f"{NETWORK}.9", 4569, "backups"

    def __init__(self, folder):
        self.folder = folder
        self.objects = folder / "objects"
        self.ca, self.key = folder / "ca.pem", folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", self.key, "-out",
                        self.ca, "-subj", "/CN=s3.howdah.test", "-addext", f"subjectAltName=IP:{self.host},DNS:{self.host}"],  # pgbackrest looks at names alone
                       check=True, capture_output=True, timeout=60)
        self.ca.chmod(0o644)
        self.process = None
        self.start()

    def start(self):
        log = open(self.folder / "s3.log", "ab")
        # It makes continuation tokens with a cipher that OpenSSL 3 calls old.
        environment = {**os.environ, "NODE_OPTIONS": "--openssl-legacy-provider"}
        self.process = subprocess.Popen(
            [installed(), "-d", self.objects, "-a", self.host, "-p", str(self.port), "--key", self.key, "--cert", self.ca,
             "--configure-bucket", self.name, "--service-endpoint", "howdah.test"], stdout=log, stderr=log,
            env=environment)
        wait_for(self._answers, f"s3rver; {self.folder}/s3.log")

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "s3.log").read_text()
        with socket.create_connection((self.host, self.port), timeout=1):
            return True

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def config(self, number):
        """The lines of pgbackrest.conf for this bucket as repository `number`."""
        return "".join(f"repo{number}-{line}\n" for line in (
            "type=s3", "path=/demo-repo", f"s3-bucket={self.name}", "s3-endpoint=s3.howdah.test", "s3-region=us-east-1",
            f"s3-key={KEY}", f"s3-key-secret={SECRET}", "s3-uri-style=path", f"storage-host={self.host}",
            f"storage-port={self.port}", f"storage-ca-file={self.ca}"))

    def keys(self):
        """What is stored; the server keeps each object in a file of that name with an ending."""
        root, ending = self.objects / self.name, "._S3rver_object"
        return sorted(str(path.relative_to(root))[:-len(ending)] for path in pathlib.Path(root).rglob("*" + ending))
