"""nginx's files as deploy.sh fills them in: nginx takes them, and a security checker finds nothing in them."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from stack import FUNCTIONS, REPOSITORY

# What Debian's own nginx.conf says around a site, shortened; it must not clash with ours.
DEBIAN = """
user www-data;
worker_processes auto;
worker_rlimit_nofile 8192;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 768; }}
http {{
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    server_tokens off;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    ssl_protocols TLSv1.2 TLSv1.3;
    access_log {folder}/access.log;
    gzip on;
    include presales.conf;
}}
"""


class Configuration(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="presales-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
             "-subj", "/CN=presales.example", "-keyout", cls.folder / "key.pem", "-out", cls.folder / "certificate.pem"],
            check=True, capture_output=True,
        )
        cls.local = cls.render("local", PORT="8080", SERVER_NAMES="127.0.0.1 localhost", RECORDINGS=" http://127.0.0.1:8081")
        cls.production = cls.render(
            "production", SERVER_NAMES="presales.example", RECORDINGS="", CHALLENGES="/var/lib/presales/challenges",
            CERTIFICATE=cls.folder / "certificate.pem", CERTIFICATE_KEY=cls.folder / "key.pem",
        )
        (cls.production / "nginx.conf").write_text(DEBIAN.format(folder=cls.folder))

    @classmethod
    def render(cls, mode, **values):
        folder = cls.folder / mode
        for name in ["run", "nginx"]:
            (folder / name).mkdir(parents=True)
        values |= {"STATE": folder, "SOCKETS": folder / "run", "DASHBOARD": "/srv/dash board", "LOG": folder / "access.log", "ERROR_LOG": folder / "error.log"}
        pairs = [f"{name}={value}" for name, value in values.items()]
        subprocess.run(
            ["bash", "-c", 'source "$1" && render_nginx "${@:2}"', "bash", REPOSITORY / "deploy.sh", mode, folder, *pairs], check=True
        )
        return folder

    def test_every_word_is_filled_in(self):
        for folder in [self.local, self.production]:
            for file in folder.rglob("*.conf"):
                self.assertEqual(re.findall(r"@[A-Z_]+@", file.read_text()), [], file)

    def test_nginx_takes_them_without_a_warning(self):
        for folder in [self.local, self.production]:
            with self.subTest(folder.name):
                check = subprocess.run(
                    ["nginx", "-t", "-q", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"], capture_output=True, text=True
                )
                self.assertEqual((check.returncode, check.stderr), (0, ""))

    def test_a_security_checker_finds_nothing(self):
        for folder in [self.local, self.production]:
            with self.subTest(folder.name):
                check = subprocess.run(
                    [sys.executable, "-m", "gixy.cli", folder / "nginx.conf"], capture_output=True, text=True
                )
                self.assertIn("No issues found", check.stdout + check.stderr)

    def test_every_function_has_one_location(self):
        text = (REPOSITORY / "nginx/presales/functions.conf").read_text()
        self.assertEqual(sorted(re.findall(r"/([a-z-]+)\.sock", text)), sorted(FUNCTIONS))
        self.assertEqual(text.count("fastcgi_pass "), text.count("include presales/function.conf"))


if __name__ == "__main__":
    unittest.main()
