from belowline.serve.audit.messages import Messages


def messages_of(*texts: str) -> Messages:
    messages = Messages()
    for text in texts:
        messages.add(text)
    return messages


def test_messages_that_differ_in_numbers_are_one_kind() -> None:
    messages = messages_of("line 3 is odd", "empty", "line 17 is odd", "broken")
    assert messages.most_common(2) == [
        {"message": "line 3 is odd", "times": 2},
        {"message": "empty", "times": 1},
    ]


def test_counts_are_summed_and_other_numbers_stay() -> None:
    messages = messages_of(
        *("1 of 4 comments have no text", "2 of 60 comments have no text"),
        *("in windows-1252, not UTF-8: 3 names", "in windows-1252, not UTF-8: 4 names"),
        "at 12:30 on 2024-05-09",
    )
    assert [one["message"] for one in messages.summed(9)] == [
        "3 of 64 comments have no text",
        "in windows-1252, not UTF-8: 7 names",
        "at 12:30 on 2024-05-09",
    ]


def test_the_first_files_of_a_kind_are_named_and_all_are_counted() -> None:
    messages = Messages()
    for file in "aabcde":
        messages.add("3 comments have no text", file)
    assert messages.summed(1) == [
        {
            "message": "18 comments have no text",
            "times": 6,
            "files": ["a", "b", "c"],
            "in_files": 5,
        }
    ]


def test_memory_is_bounded() -> None:
    messages = messages_of(*("x" * number for number in range(1, 1001)))
    kinds = messages.most_common(10_000)
    assert len(kinds) == 201
    assert kinds[0] == {"message": "other reasons", "times": 800}
