"""The Perspective API's description of itself: Google's client libraries build their calls from it."""

from typing import Any

NAME, VERSION = "commentanalyzer", "v1alpha1"

_STRING = {"type": "string"}
_FLOAT = {"type": "number", "format": "float"}
_INT = {"type": "integer", "format": "int32"}
_BOOLEAN = {"type": "boolean"}
_LANGUAGES = {"type": "array", "items": _STRING}
_TEXT_TYPE = {"type": "string", "enum": ["TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML"]}
_SCORE_TYPE = {
    "type": "string",
    "enum": ["SCORE_TYPE_UNSPECIFIED", "PROBABILITY", "STD_DEV_SCORE", "PERCENTILE", "RAW"],
}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": name}


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _ref(name)}


def _map_of(name: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _ref(name)}


_REQUEST = {
    "comment": _ref("TextEntry"),
    "context": _ref("Context"),
    "languages": _LANGUAGES,
    "clientToken": _STRING,
    "sessionId": _STRING,
    "communityId": _STRING,
}
_FIELDS: dict[str, dict[str, Any]] = {
    "TextEntry": {"text": _STRING, "type": _TEXT_TYPE},
    "ArticleAndParentComment": {"article": _ref("TextEntry"), "parentComment": _ref("TextEntry")},
    "Context": {
        "entries": _list_of("TextEntry"),
        "articleAndParentComment": _ref("ArticleAndParentComment"),
    },
    "AttributeParameters": {"scoreType": _SCORE_TYPE, "scoreThreshold": _FLOAT},
    "Score": {"value": _FLOAT, "type": _SCORE_TYPE},
    "SpanScore": {"begin": _INT, "end": _INT, "score": _ref("Score")},
    "AttributeScores": {"spanScores": _list_of("SpanScore"), "summaryScore": _ref("Score")},
    "AnalyzeCommentRequest": _REQUEST
    | {
        "requestedAttributes": _map_of("AttributeParameters"),
        "dropUnsupportedAttributes": _BOOLEAN,
        "spanAnnotations": _BOOLEAN,
        "doNotStore": _BOOLEAN,
    },
    "AnalyzeCommentResponse": {
        "attributeScores": _map_of("AttributeScores"),
        "languages": _LANGUAGES,
        "detectedLanguages": _LANGUAGES,
        "clientToken": _STRING,
    },
    "SuggestCommentScoreRequest": _REQUEST | {"attributeScores": _map_of("AttributeScores")},
    "SuggestCommentScoreResponse": {
        "clientToken": _STRING,
        "detectedLanguages": _LANGUAGES,
        "requestedLanguages": _LANGUAGES,
    },
}
_PARAMETERS = {
    "key": _STRING | {"location": "query", "description": "API key."},
    "alt": _STRING | {"location": "query", "default": "json", "enum": ["json"]},
    "fields": _STRING | {"location": "query", "description": "Ignored."},
    "prettyPrint": _BOOLEAN | {"location": "query", "default": "true", "description": "Ignored."},
    "quotaUser": _STRING | {"location": "query", "description": "Ignored."},
}


def document(base: str) -> dict[str, Any]:
    """The description of the API at ``base``, which ends with a slash."""
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": f"{NAME}:{VERSION}",
        "name": NAME,
        "version": VERSION,
        "title": "Perspective Comment Analyzer API, answered by belowline",
        "description": "Scores a comment for the attributes that a client asks for.",
        "documentationLink": f"{base}docs",
        "protocol": "rest",
        "rootUrl": base,
        "baseUrl": base,
        "servicePath": "",
        "parameters": _PARAMETERS,
        "schemas": {
            name: {"id": name, "type": "object", "properties": fields} for name, fields in _FIELDS.items()
        },
        "resources": {
            "comments": {
                "methods": {
                    "analyze": _method("analyze", "AnalyzeComment", "Scores a comment."),
                    "suggestscore": _method(
                        "suggestscore", "SuggestCommentScore", "Tells what its scores should have been."
                    ),
                }
            }
        },
    }


def _method(name: str, message: str, description: str) -> dict[str, Any]:
    path = f"{VERSION}/comments:{name}"
    return {
        "id": f"{NAME}.comments.{name}",
        "path": path,
        "flatPath": path,
        "httpMethod": "POST",
        "description": description,
        "parameters": {},
        "parameterOrder": [],
        "request": _ref(f"{message}Request"),
        "response": _ref(f"{message}Response"),
    }
