"""Published Akismet clients against a real server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT
from tests.support.client_environments import node_with, python_with, run_client
from tests.support.serve_fakes import KEY, served

HAM, SPAM, MISSED = "what a fine day", "my spam", "sold as fine"
"""A comment, one that is held, and one that is published although its site finds it is spam."""
PYTHON = """
import asyncio, json, sys
import akismet, httpx

base, key, ham, spam, missed = sys.argv[1:]
BLOG = "https://python.example"

class Here:
    def rewritten(self, request):
        here = httpx.URL(base)
        request.url = request.url.copy_with(scheme=here.scheme, host=here.host, port=here.port)
        assert request.headers["Host"] == "rest.akismet.com"
        return request

class Transport(Here, httpx.HTTPTransport):
    def handle_request(self, request):
        return super().handle_request(self.rewritten(request))

class AsyncTransport(Here, httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request):
        return await super().handle_async_request(self.rewritten(request))

def sync_client(key):
    return akismet.SyncClient(akismet.Config(key, BLOG), httpx.Client(transport=Transport(), timeout=30))

def async_client(key):
    http = httpx.AsyncClient(transport=AsyncTransport(), timeout=30)
    return akismet.AsyncClient(akismet.Config(key, BLOG), http)

async def main(make, wait):
    client, wrong = make(key), make("a-key-that-nobody-has")
    who = {"user_ip": "192.0.2.7", "comment_author_email": "ann@reader.example", "is_test": 0}
    said = {"good": await wait(client.verify_key()), "bad": await wait(wrong.verify_key())}
    try:
        await wait(wrong.comment_check(comment_content=spam, **who))
    except akismet.APIKeyError:
        said["refused"] = True
    for name, text in (("ham", ham), ("spam", spam), ("missed", missed)):
        said[name] = int(await wait(client.comment_check(comment_content=text, **who)))
    said["reported"] = [await wait(client.submit_spam(comment_content=missed, **who)),
                        await wait(client.submit_ham(comment_content=spam, **who))]
    said["again"] = [int(await wait(client.comment_check(comment_content=text, **who))) for text in (spam, missed)]
    print(json.dumps(said))

async def of_async(call):
    return await call

async def of_sync(answer):
    return answer

asyncio.run(main(*((sync_client, of_sync) if SYNC else (async_client, of_async))))
"""
CEDX = """
import {Author, Blog, CheckResult, Client, Comment} from "@cedx/akismet";

const [base, key, ham, spam, missed] = process.argv.slice(2);
const blog = new Blog({charset: "UTF-8", languages: ["en"], url: "https://cedx.example"});
const client = new Client(key, blog, {baseUrl: base});
const wrong = new Client("a-key-that-nobody-has", blog, {baseUrl: base});
const author = new Author({email: "ann@reader.example", ipAddress: "192.0.2.7", name: "Ann", role: "guest"});
const comment = content => new Comment({
  author, content, context: ["bees", "hives"], date: new Date(), permalink: "https://cedx.example/1", type: "comment",
});
const said = {good: await client.verifyKey(), bad: await wrong.verifyKey()};
await wrong.checkComment(comment(spam)).catch(() => { said.refused = true; });
said.ham = await client.checkComment(comment(ham));
said.spam = await client.checkComment(comment(spam));
said.missed = await client.checkComment(comment(missed));
await client.submitSpam(comment(missed));
await client.submitHam(comment(spam));
said.again = [await client.checkComment(comment(spam)), await client.checkComment(comment(missed))];
console.log(JSON.stringify(said));
"""
AKISMET = """
const {promisify} = require("util");
const [base, key, ham, spam, missed] = process.argv.slice(2);
const {hostname, port} = new URL(base);
const of = apiKey => {
  const client = require("akismet").client({
    blog: "https://node.example", apiKey, host: hostname, endPoint: hostname, port: Number(port),
  });
  const call = name => promisify(client[name].bind(client));
  return {verify: call("verifyKey"), check: call("checkComment"), spam: call("submitSpam"), ham: call("submitHam")};
};
const comment = (comment_content, api_key = key) => ({api_key, user_ip: "192.0.2.7", comment_content});

(async () => {
  const client = of(key), wrong = of("a-key-that-nobody-has");
  const said = {good: await client.verify(), bad: await wrong.verify()};
  said.refused = !(await wrong.check(comment(spam, "a-key-that-nobody-has")));  // it takes all but true for ham
  said.ham = await client.check(comment(ham));
  said.spam = await client.check(comment(spam));
  said.missed = await client.check(comment(missed));
  await client.spam(comment(missed));
  await client.ham(comment(spam));
  said.again = [await client.check(comment(spam)), await client.check(comment(missed))];
  console.log(JSON.stringify(said));
})();
"""
AKISMET_API = """
const {AkismetClient} = require("akismet-api");
const [base, key, ham, spam, missed] = process.argv.slice(2);
const host = "akismet.test:" + new URL(base).port;
const of = key => new AkismetClient({key, blog: "https://coral.example", protocol: "http", host});
const comment = content => ({ip: "192.0.2.7", email: "ann@reader.example", name: "Ann", content, honeypot: ""});

(async () => {
  const client = of(key), wrong = of("a-key-that-nobody-has");
  const said = {good: await client.verifyKey(), bad: await wrong.verifyKey()};
  await wrong.checkSpam(comment(spam)).catch(error => { said.refused = error.message === "Invalid API key"; });
  said.ham = await client.checkSpam(comment(ham));
  said.spam = await client.checkSpam(comment(spam));
  said.missed = await client.checkSpam(comment(missed));
  said.reported = [(await client.submitSpam(comment(missed))).text, (await client.submitHam(comment(spam))).text];
  said.again = [await client.checkSpam(comment(spam)), await client.checkSpam(comment(missed))];
  said.trapped = await client.checkSpam({...comment(ham), honeypot: "x"});
  console.log(JSON.stringify(said));
})();
"""
THANKS = "Thanks for making the web a better place."


def python(source: str, folder: Path) -> list[str | Path]:
    script = folder / "client.py"
    script.write_text(source, "utf-8")
    return [python_with("akismet==25.10.1"), script]


def node(source: str, package: str, folder: Path, *options: str) -> list[str | Path]:
    """The script is in the folder of packages, where ``import`` finds them."""
    home = node_with(package)
    script = home / f"client{'.mjs' if source.lstrip().startswith('import') else '.cjs'}"
    script.write_text(source, "utf-8")
    return ["node", *options, script]


PRELOADED = ("--require", str(ROOT / "tests" / "clients" / "dns_lookup.cjs"))
CLIENTS: dict[str, tuple[str, Callable[[Path], list[str | Path]], dict[str, Any]]] = {
    "akismet for Python": (
        "python.example",
        lambda folder: python("SYNC = True\n" + PYTHON, folder),
        {"reported": [True, True]},
    ),
    "akismet for Python, asynchronous": (
        "python.example",
        lambda folder: python("SYNC = False\n" + PYTHON, folder),
        {"reported": [True, True]},
    ),
    "@cedx/akismet": ("cedx.example", lambda folder: node(CEDX, "@cedx/akismet@16.2.1", folder), {}),
    "akismet": ("node.example", lambda folder: node(AKISMET, "akismet@2.0.7", folder), {}),
    "akismet-api": (
        "coral.example",
        lambda folder: node(AKISMET_API, "akismet-api@6.0.0", folder, *PRELOADED),
        {"reported": [THANKS, THANKS], "trapped": True},
    ),
}
DISCARD = {"akismet for Python": 2, "akismet for Python, asynchronous": 2, "@cedx/akismet": 2}
"""Clients that read the header; the others only know true and false."""


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_works_unchanged(name: str, tmp_path: Path) -> None:
    site, command, more = CLIENTS[name]
    with served(tmp_path, api_keys=KEY) as client:
        arguments = [str(client.base_url).rstrip("/"), KEY, HAM, SPAM, MISSED]
        said = json.loads(run_client([*command(tmp_path), *arguments]))
        found = decided(client)
    answers = {"good": True, "bad": False, "refused": True, "ham": 0, "spam": 1, "missed": 0}
    assert said == {**answers, "again": [0, DISCARD.get(name, 1)], **more}
    assert found == [
        (site, SPAM, "policy", "hold"),
        (site, MISSED, "policy", "publish"),  # stored once it was reported
        (site, MISSED, "akismet", "reject"),
        (site, SPAM, "akismet", "publish"),
    ]


def decided(client: httpx.Client) -> list[tuple[str, str, str, str]]:
    """Return site, text, via and action of every decision, oldest first."""
    admin = {"X-API-Key": KEY}
    rows = [json.loads(line) for line in client.get("/v1/decisions", headers=admin).text.splitlines()]
    comments = {row["id"]: row for row in client.get("/v1/comments", headers=admin).json()["items"]}
    return [
        (comment["site"], comment["text"], row["via"], row["action"])
        for row in rows
        for comment in [comments[row["comment_id"]]]
    ]
