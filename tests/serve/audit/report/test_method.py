import html
from typing import Any

from belowline.model import Policy
from belowline.model.directory import Thresholds
from belowline.serve.audit.report.method import card_html, label_rules
from belowline.serve.templating import templates
from tests.support.serve_fakes import FakeScorer

CONFIG = FakeScorer.config
SENTENCES: Any = templates.get_template("report_method.html").module


def policy(text: str = "") -> Policy:
    return Policy.parse(text, "test", CONFIG.thresholds, CONFIG.languages)


def words(text: str = "") -> str:
    return html.unescape(str(SENTENCES.policy_method(policy(text))))


def test_the_default_policy_in_words() -> None:
    said = words()
    assert "Nothing is rejected" in said
    assert "threat, antisemitism, hate, spam, personal attack, toxicity." in said
    assert "languages than the model's are held" in said
    for absent in ("links", "words", "campaigns", "single sites"):
        assert absent not in said


def test_rules_of_a_site_are_told_and_those_that_need_a_queue_are_said_to() -> None:
    said = words(
        'automatic_rejection = true\nunknown_language = "publish"\ntrusted_roles = ["staff"]\n'
        '[links]\nmax = 2\nblocked = ["casino.example"]\n[words]\nhold = ["lottery"]\n[sites."a.example"]\nsample = 0.1\n'
    )
    for part in ("rejected automatically", "More than 2 links", "domains (1)", "Listed words"):
        assert part in said
    assert "languages than the model's are published" in said
    assert "trusted authors" in said
    assert "single sites" in said


def test_label_rules_have_the_thresholds_that_count() -> None:
    rules = {
        rule.label: rule
        for rule in label_rules(policy("[thresholds.spam]\nhold = 0.7\nreject = 0.9\n"), CONFIG)
    }
    assert (rules["spam"].hold, rules["spam"].reject, rules["spam"].in_policy) == (0.7, 0.9, True)
    assert (rules["profanity"].hold, rules["profanity"].in_policy) == (0.5, False)
    assert rules["on_topic"].hold is None
    assert rules["hate"].meaning.startswith("attacks, dehumanises")


def test_a_label_that_the_policy_took_out_keeps_the_models_threshold() -> None:
    [rule] = [one for one in label_rules(policy('labels = ["spam"]'), CONFIG) if one.label == "hate"]
    assert (rule.hold, rule.in_policy) == (0.5, False)
    assert policy('labels = ["spam"]').thresholds == {"spam": Thresholds(hold=0.5)}


def test_the_method_tells_windows_languages_and_context() -> None:
    window = CONFIG.window.model_copy(update={"aggregate": {"spam": "max", "on_topic": "mean"}})
    said = SENTENCES.scores_method(CONFIG.model_copy(update={"window": window}), True)
    assert "windows of 128 tokens that overlap by 16" in said
    assert "highest window: spam.</li>" in said
    assert "mean of the windows: on topic.</li>" in said
    assert "trained on comments in: en." in said
    assert "relevance" in said
    assert "relevance" not in SENTENCES.scores_method(CONFIG, False)
    without = SENTENCES.scores_method(CONFIG.model_copy(update={"window": window}), False)
    assert "mean of the windows: substance.</li>" in without


def test_a_card_is_html_that_loads_nothing_and_leads_nowhere() -> None:
    card = (
        "# Model <script>x</script>\n\nA [link](http://a.example) and ![a curve](curve.svg).\n\n| a | b |\n| - | - |\n| 1 | `2` |\n\n"
        "<img src=x onerror=y>\n"
    )
    page = card_html(card)
    assert "<h4>Model &lt;script&gt;x&lt;/script&gt;</h4>" in page
    assert "A link and (a curve)." in page
    assert "<td><code>2</code></td>" in page
    assert "&lt;img" in page
    for absent in ("<script", "href", "src=", "<img"):
        assert absent not in page.replace("&lt;img src=x", "")
