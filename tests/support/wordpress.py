"""A real WordPress for the tests: Debian's packages, with files and database in a temporary folder."""

import json
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest

SOURCE = Path("/usr/share/wordpress")
MODERATOR = "mona"
_CONFIG = """<?php
define('DB_NAME', 'wordpress'); define('DB_USER', 'root'); define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:SOCKET'); define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
define('WP_ENVIRONMENT_TYPE', 'local');  // application passwords without HTTPS
define('DISABLE_WP_CRON', true);         // it would call this server, which answers one at a time
define('AUTH_SALT', 'SALT'); define('SECURE_AUTH_SALT', 'SALT');
$table_prefix = 'wp_';
if (!defined('ABSPATH')) { define('ABSPATH', __DIR__ . '/'); }
require_once ABSPATH . 'wp-settings.php';
"""
_NO_MAIL = "<?php function wp_mail() { return true; }\n"
_INSTALL = """<?php
[, $folder, $home] = $argv;
$_SERVER['HTTP_HOST'] = parse_url($home, PHP_URL_HOST) . ':' . parse_url($home, PHP_URL_PORT);
define('WP_INSTALLING', true);
mysqli_report(MYSQLI_REPORT_OFF);
$server = new mysqli('localhost', 'root', '', '', 0, "$folder/database.sock");
$server->query('CREATE DATABASE wordpress CHARACTER SET utf8mb4');
require "$folder/www/wp-load.php";
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('The Harbour Paper', 'root', 'root@paper.example', false, '', wp_generate_password());
update_option('siteurl', $home); update_option('home', $home);
$passwords = [];
foreach (['mona' => 'editor', 'rita' => 'subscriber'] as $name => $role) {
    $id = wp_insert_user(['user_login' => $name, 'user_pass' => wp_generate_password(), 'role' => $role]);
    $passwords[$name] = WP_Application_Passwords::create_new_application_password($id, ['name' => 'belowline'])[0];
}
$post = ['post_title' => 'Tom &amp; the <em>harbour</em>', 'post_content' => '<p>It reopens &mdash; today.</p>',
    'post_status' => 'publish', 'comment_status' => 'open'];
$posts = [wp_insert_post($post), wp_insert_post(['post_title' => 'About us', 'post_type' => 'page'] + $post)];
echo json_encode(['passwords' => $passwords, 'posts' => $posts]);
"""

_STORE = """<?php
[, $folder, $status, $balance] = $argv;
require "$folder/www/wp-load.php";
update_option('use_balanceTags', (int) $balance);
wp_set_current_user(get_user_by('login', 'mona')->ID);
$ids = [];
foreach (json_decode(file_get_contents("$folder/texts.json")) as $text) {
    $wpdb->query($wpdb->remove_placeholder_escape($wpdb->prepare(
        "INSERT INTO $wpdb->comments (comment_post_ID, comment_author, comment_approved, comment_type, comment_content,
        comment_date, comment_date_gmt) VALUES (1, 'Ann', '0', 'comment', %s, NOW(), UTC_TIMESTAMP())", $text)));
    $ids[] = $id = $wpdb->insert_id;
    $change = new WP_REST_Request('POST', "/wp/v2/comments/$id");
    $change->set_param('status', $status);
    if ($status && rest_do_request($change)->is_error()) { exit(1); }
}
$texts = [];
foreach ($ids as $id) {
    $texts[] = $wpdb->get_var("SELECT comment_content FROM $wpdb->comments WHERE comment_ID = $id");
}
update_option('use_balanceTags', 0);
if ($status) { $wpdb->query("DELETE FROM $wpdb->comments WHERE comment_ID IN (" . implode(',', $ids) . ')'); }
echo json_encode(['ids' => $ids, 'texts' => $texts], JSON_THROW_ON_ERROR);
"""


@dataclass(frozen=True)
class RealWordPress:
    """A running WordPress, as its moderator sees it."""

    url: str
    passwords: dict[str, str]
    posts: Sequence[int]
    api: httpx.Client
    folder: Path

    def write(self, text: str, *, author: str = "Ann", post: int = 0, **more: Any) -> int:
        """Create a comment on hold; return its id."""
        known = {"author_name": author, "author_email": f"{author}@reader.example", "status": "hold", **more}
        return int(self._call("POST", "comments", post=self.posts[post], content=text, **known)["id"])

    def store(
        self, texts: Sequence[str], status: str = "", *, balance: bool = False
    ) -> tuple[list[int], list[str]]:
        """Store comments on hold with these texts, unfiltered; return their ids and their texts.

        With ``status``, that status is set over the REST API first, and the comments are deleted afterwards.
        ``balance`` turns on the option "use_balanceTags" meanwhile.
        """
        (self.folder / "texts.json").write_text(json.dumps(list(texts)))
        (self.folder / "store.php").write_text(_STORE)
        told = json.loads(_php(self.folder, "store.php", str(self.folder), status, str(int(balance))))
        return told["ids"], told["texts"]

    def text(self, comment: int) -> str:
        """Return a comment's stored text."""
        return str(self._call("GET", f"comments/{comment}&context=edit")["content"]["raw"])

    def status(self, comment: int) -> str:
        return str(self._call("GET", f"comments/{comment}&context=edit")["status"])

    def moderate(self, comment: int, status: str) -> None:
        self._call("POST", f"comments/{comment}", status=status)

    def decide(self, comment: int, status: str) -> None:
        """Set a status as wp-admin does, which does not change the text."""
        load = f"require '{self.folder}/www/wp-load.php';"
        _php(self.folder, "-r", f"{load} wp_set_comment_status({comment}, '{status}') || exit(1);")

    def delete(self, comment: int) -> None:
        self._call("DELETE", f"comments/{comment}&force=true")

    def everything(self) -> Any:
        """Return every comment in its current state."""
        return self._call("GET", "comments&status=any&context=edit&per_page=100")

    def _call(self, method: str, path: str, **values: Any) -> Any:
        answer = self.api.request(method, f"/?rest_route=/wp/v2/{path}", json=values or None)
        assert answer.is_success, answer.text
        return answer.json()


@contextmanager
def wordpress_server(source: Path = SOURCE) -> Iterator[RealWordPress]:
    """Yield a fresh WordPress from the files of ``source`` on a free port; skip if its programs are missing."""
    if not source.is_dir() or not shutil.which("php") or not shutil.which("mariadbd"):
        pytest.skip("needs WordPress (Debian: apt install wordpress mariadb-server php-cli php-mysql)")
    with tempfile.TemporaryDirectory(prefix="belowline-wp-") as name, ExitStack() as stack:
        folder = Path(name)
        stack.enter_context(_database(folder))
        _copy(source, folder)
        url = f"http://127.0.0.1:{_free_port()}"
        (folder / "install.php").write_text(_INSTALL)
        made = json.loads(_php(folder, "install.php", str(folder), url))
        server = [
            "php",
            *_compiled_once(folder),
            "-q",
            "-S",
            url.removeprefix("http://"),
            "-t",
            str(folder / "www"),
        ]
        stack.enter_context(_running(server, folder / "php.log"))
        password = made["passwords"][MODERATOR]
        api = stack.enter_context(httpx.Client(base_url=url, auth=(MODERATOR, password), timeout=60))
        _wait_for(lambda: api.get("/?rest_route=/").is_success)
        yield RealWordPress(url, made["passwords"], made["posts"], api, folder)


def run_php(paper: RealWordPress, code: str) -> str:
    """Run ``code`` inside WordPress, as its administrators' command line does; return the output."""
    (paper.folder / "run.php").write_text(f"<?php require '{paper.folder}/www/wp-load.php'; {code}")
    return _php(paper.folder, "run.php")


def install_plugin(paper: RealWordPress, archive: Path) -> None:
    """Unpack a plugin's zip as WordPress does, and activate it."""
    plugins = paper.folder / "www" / "wp-content" / "plugins"
    with ZipFile(archive) as opened:
        opened.extractall(plugins)
        main = next(name for name in opened.namelist() if name.endswith(".php"))
    said = run_php(
        paper,
        "require ABSPATH . 'wp-admin/includes/plugin.php';"
        f"echo is_wp_error(activate_plugin('{main}')) ? 'refused' : 'active';",
    )
    assert said == "active", said


@contextmanager
def wp_admin(paper: RealWordPress, user: str = MODERATOR) -> Iterator[httpx.Client]:
    """Yield a session of ``user`` in wp-admin."""
    password = secrets.token_hex(8)
    run_php(paper, f"wp_set_password('{password}', get_user_by('login', '{user}')->ID);")
    with httpx.Client(base_url=paper.url, timeout=60, follow_redirects=True) as session:
        session.get("/wp-login.php")
        form = {"log": user, "pwd": password, "testcookie": "1", "redirect_to": f"{paper.url}/wp-admin/"}
        assert session.post("/wp-login.php", data=form).url.path == "/wp-admin/"
        yield session


@contextmanager
def _database(folder: Path) -> Iterator[None]:
    """Run MariaDB on a socket that only this user can reach; it needs no system tables without accounts."""
    options = ["--skip-grant-tables", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"]
    (folder / "data").mkdir()
    options += [f"--datadir={folder / 'data'}", f"--socket={folder / 'database.sock'}"]
    options += ["--user=root", f"--pid-file={folder / 'database.pid'}", "--innodb-log-file-size=8M"]
    with _running(["mariadbd", "--no-defaults", *options], folder / "database.log"):
        _wait_for((folder / "database.sock").exists)
        yield


def _copy(source: Path, folder: Path) -> None:
    www = folder / "www"
    shutil.copytree(source, www, symlinks=True)
    config = _CONFIG.replace("SOCKET", str(folder / "database.sock")).replace("SALT", secrets.token_hex(32))
    (www / "wp-config.php").unlink(missing_ok=True)  # Debian's file looks below /etc
    (www / "wp-config.php").write_text(config)
    plugins = www / "wp-content" / "mu-plugins"
    plugins.mkdir()
    (plugins / "no-mail.php").write_text(_NO_MAIL)


def _compiled_once(folder: Path) -> list[str]:
    """Return PHP options that cache compiled code; otherwise PHP compiles WordPress for each request."""
    cache = folder / "opcache"
    cache.mkdir(exist_ok=True)
    options = ("enable_cli=1", f"file_cache={cache}", "revalidate_freq=0")
    return [part for option in options for part in ("-d", f"opcache.{option}")]


def _php(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["php", *_compiled_once(folder), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(ready: Any) -> None:
    for _ in range(300):
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("it does not start")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
