"""Builds the saved pages of ``tests/data/archives/saved_pages`` in a real WordPress, with Chromium.

``python -m tests.release.saved_pages --core CORE --to FOLDER``, where CORE holds a WordPress with the themes Twenty Ten
to Twenty Twenty-Five and the plugin wpDiscuz 7.6 in ``wp-content``. Each page is saved as HTML and as
``document.body.innerText``; ``truth.json`` holds the comments of each article.
"""

import argparse
import json
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from playwright.sync_api import Page, sync_playwright

from tests.support.wordpress import RealWordPress, run_php, wordpress_server, wp_admin

FOLDER = Path(__file__).resolve().parents[1] / "data" / "archives" / "saved_pages"
KINDS = ("plain", "list", "number", "one_word", "paragraphs", "quote", "link", "emoji")
_DEEPEST = 4
_STAFF = 0.2
_LINK = re.compile(r'<a href="([^"]*)">([^<]*)</a>')
_BARE_WWW = re.compile(r"(?<!\S)www\.")
_LONE_HYPHEN = re.compile(r"(?<!\S)-(?!\S)")
_STRIPPED = re.compile(
    r"<(script|style|svg|noscript|template)\b.*?</\1>|<!--.*?-->|<link\b[^>]*>|<meta (?!charset)[^>]*>"
    r"| (?:style|srcset|sizes|loading|decoding|height|width|data-wp-[\w-]+|aria-[\w-]+)=\"[^\"]*\"",
    re.DOTALL,
)


@dataclass(frozen=True)
class Layout:
    """A theme, and a wpDiscuz layout where one replaces its comments."""

    theme: str
    wpdiscuz: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


LAYOUTS = {
    "wpdiscuz-1": Layout("twentytwentyone", 1),
    "wpdiscuz-2": Layout("twentysixteen", 2),
    "wpdiscuz-3": Layout("twentytwentyfour", 3),
    **{
        theme: Layout(theme)
        for theme in (
            *(
                "twentyten",
                "twentyeleven",
                "twentytwelve",
                "twentythirteen",
                "twentyfourteen",
                "twentyfifteen",
            ),
            *("twentysixteen", "twentyseventeen", "twentynineteen", "twentytwenty", "twentytwentyone"),
            *("twentytwentytwo", "twentytwentythree", "twentytwentyfour", "twentytwentyfive"),
        )
    },
}

_PREPARE = """
wp_set_current_user(1);
$world = json_decode(file_get_contents($argv[1]), true);
update_option('blogname', $world['site']); update_option('use_smilies', 0); update_option('thread_comments_depth', 5);
update_option('page_comments', 0); update_option('comments_per_page', 500); update_option('default_comments_page', 'oldest');
update_option('comment_order', 'asc'); update_option('date_format', $world['dates']); update_option('time_format', $world['times']);
update_option('permalink_structure', ''); wp_delete_post(1, true); wp_delete_post(2, true);
$staff = [];
foreach ($world['staff'] as $member) {
    $name = $member['name'];
    $staff[$name] = wp_insert_user(['user_login' => sanitize_user($name), 'display_name' => $name, 'role' => $member['role'],
        'user_pass' => wp_generate_password(), 'user_email' => md5($name) . '@paper.example']);
}
$posts = [];
foreach ($world['articles'] as $article) {
    $post = wp_insert_post(['post_title' => $article['title'], 'post_content' => $article['text'], 'post_status' => 'publish',
        'comment_status' => 'open', 'post_author' => $staff[$article['author']], 'post_date' => $article['date']]);
    $ids = [];
    foreach ($article['comments'] as $at => $comment) {
        $ids[] = wp_insert_comment(['comment_post_ID' => $post, 'comment_author' => $comment['author'],
            'comment_author_email' => md5($comment['author']) . '@reader.example', 'comment_author_url' => $comment['url'],
            'comment_content' => $comment['written'], 'comment_approved' => 1, 'comment_type' => 'comment',
            'comment_parent' => is_null($comment['parent']) ? 0 : $ids[$comment['parent']],
            'user_id' => $staff[$comment['author']] ?? 0, 'comment_date' => $comment['time'], 'comment_date_gmt' => $comment['time']]);
    }
    if ($article['closed']) { wp_update_post(['ID' => $post, 'comment_status' => 'closed']); }
    $posts[] = $post;
}
echo json_encode($posts);
"""
_MU_PLUGIN = """<?php
remove_action('wp_head', 'print_emoji_detection_script', 7);
remove_action('wp_print_styles', 'print_emoji_styles');
add_filter('pre_http_request', function () { return new WP_Error('offline', 'offline'); });
add_filter('show_admin_bar', '__return_false');
"""
_LAYOUT = """
require_once ABSPATH . 'wp-admin/includes/plugin.php';
switch_theme('THEME');
$plugin = 'wpdiscuz/class.WpdiscuzCore.php';
if (NUMBER) {
    if (!is_plugin_active($plugin)) { $said = activate_plugin($plugin); if (is_wp_error($said)) { exit($said->get_error_message()); } }
} else {
    deactivate_plugins($plugin);
}
echo 'done';
"""
_FORM = """
foreach (get_posts(['post_type' => 'wpdiscuz_form', 'numberposts' => -1, 'post_status' => 'any']) as $form) {
    $options = get_post_meta($form->ID, 'wpdiscuz_form_general_options', true);
    $options['layout'] = NUMBER;
    update_post_meta($form->ID, 'wpdiscuz_form_general_options', $options);
    echo $form->ID;
}
$options = get_option('wc_options');
if (NUMBER === 3) {
    foreach ($options['labels']['blogRoleLabels'] as $role => $shown) { $options['labels']['blogRoleLabels'][$role] = 1; }
}
$options['general']['simpleCommentDate'] = (int) (NUMBER === 2);
update_option('wc_options', $options);
"""


def main() -> None:
    """Build every page that is named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--core", type=Path, required=True, help="a WordPress with the themes and wpDiscuz")
    parser.add_argument(
        "--comments", type=Path, default=FOLDER / "comments.toml", help="the invented comments"
    )
    parser.add_argument("--to", type=Path, default=FOLDER, help="the folder for the pages")
    parser.add_argument("--layout", action="append", choices=LAYOUTS, help="one layout; default all")
    options = parser.parse_args()
    world = assemble(tomllib.loads(options.comments.read_text("utf-8")))
    options.to.mkdir(parents=True, exist_ok=True)
    truth = [article["comments"] for article in world["articles"]]
    (options.to / "truth.json").write_text(json.dumps(truth, ensure_ascii=False, indent=0) + "\n", "utf-8")
    with wordpress_server(options.core) as paper, _browser() as page:
        posts = _prepare(paper, world)
        for name in options.layout or LAYOUTS:
            _switch(paper, LAYOUTS[name])
            pages = {
                number: _saved(page, f"{paper.url}/?p={post}") for number, post in enumerate(posts, start=1)
            }
            _write(options.to / f"{name}.zip", pages, paper.url)
            print(name, [len(text) for _, text in pages.values()], flush=True)


def assemble(world: dict[str, Any]) -> dict[str, Any]:
    """The world with the comments of each article, an equal share of every kind each, with replies."""
    draw = Random(world["seed"])
    texts = [(kind, text) for kind in KINDS for text in world[kind]]
    draw.shuffle(texts)
    share = len(texts) // len(world["articles"])
    names = ([*world["names"], *world["odd_names"]], [member["name"] for member in world["staff"]])
    for number, article in enumerate(world["articles"]):
        part = texts[number * share : (number + 1) * share]
        article["comments"] = list(_comments(part, *names, article["date"], draw))
    return world


def _comments(
    texts: Sequence[tuple[str, str]], authors: Sequence[str], staff: Sequence[str], date: str, draw: Random
) -> Iterator[dict[str, Any]]:
    written: list[tuple[str, int]] = []
    for number, (kind, text) in enumerate(texts):
        author = draw.choice(staff if draw.random() < _STAFF else authors)
        open_ones = [at for at in range(max(0, number - 12), number) if written[at][1] < _DEEPEST]
        parent = draw.choice(open_ones) if open_ones and (kind == "quote" or draw.random() < 0.5) else None
        text = text.replace("{name}", written[parent][0] if parent is not None else "Ann Lee")
        written.append((author, 0 if parent is None else written[parent][1] + 1))
        # WordPress prints the scheme that it adds, and a dash for a hyphen between spaces.
        shown = _LONE_HYPHEN.sub("–", _BARE_WWW.sub("http://www.", text))
        yield {
            "author": author,
            "parent": parent,
            "text": _LINK.sub(_with_address, shown),
            "plain": _LINK.sub(r"\2", shown),
            "kind": kind,
            "written": text,
            "url": "https://reader.example/" if draw.random() < 0.2 else "",
            "time": f"{date[:4]}-{6 + number // 20:02d}-{1 + number % 20:02d} {draw.randrange(24):02d}:15:00",
        }


def _with_address(link: re.Match[str]) -> str:
    return link[2] if link[2] == link[1] else f"{link[2]} ({link[1]})"


@contextmanager
def _browser() -> Iterator[Page]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.route(lambda url: "//127.0.0.1:" not in url, lambda route: route.abort())
        yield page
        page.unroute_all(behavior="ignoreErrors")
        browser.close()


def _prepare(paper: RealWordPress, world: Mapping[str, Any]) -> list[int]:
    plugins = paper.folder / "www" / "wp-content" / "mu-plugins"
    (plugins / "quiet.php").write_text(_MU_PLUGIN)
    file = paper.folder / "world.json"
    file.write_text(json.dumps(world), "utf-8")
    posts: list[int] = json.loads(run_php(paper, _PREPARE.replace("$argv[1]", f"'{file}'")))
    return posts


def _switch(paper: RealWordPress, layout: Layout) -> None:
    said = run_php(paper, _LAYOUT.replace("THEME", layout.theme).replace("NUMBER", str(layout.wpdiscuz)))
    assert said.endswith("done"), said
    if layout.wpdiscuz:
        with wp_admin(paper, "root") as session:  # wpDiscuz makes its form at the first visit
            assert session.get("/wp-admin/index.php").is_success
        said = run_php(paper, _FORM.replace("NUMBER", str(layout.wpdiscuz)))
        assert said, "wpDiscuz made no form"


def _saved(page: Page, url: str) -> tuple[str, str]:
    """The page as HTML and as text, as Chromium shows it."""
    page.goto(url, wait_until="load", timeout=180_000)
    return page.content(), page.evaluate("document.body.innerText")


def _write(file: Path, pages: Mapping[int, tuple[str, str]], url: str) -> None:
    with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for number, (html, text) in pages.items():
            for suffix, content in ((".html", _STRIPPED.sub("", html)), (".txt", text)):
                name = ZipInfo(f"{number}{suffix}")
                for address in (url, quote(url, safe="")):
                    content = content.replace(address, "https://paper.example")
                archive.writestr(name, content, ZIP_DEFLATED, 9)


if __name__ == "__main__":
    main()
