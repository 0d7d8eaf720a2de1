from toolweft.providers.prefix import prefix_hash

BODY = {"model": "m", "tools": [{"name": "a"}], "system": "s", "messages": [{"role": "user"}]}


def test_messages_of_others_do_not_count() -> None:
    longer = {**BODY, "messages": [*BODY["messages"], {"role": "assistant"}], "max_tokens": 7}

    assert prefix_hash(longer) == prefix_hash(BODY)


def test_tools_their_order_and_the_systems_words_count() -> None:
    other_tools = {**BODY, "tools": [{"name": "a"}, {"name": "b"}]}
    turned = {**BODY, "tools": [{"name": "b"}, {"name": "a"}]}
    hashes = {prefix_hash(b) for b in (BODY, other_tools, turned, {**BODY, "system": "t"})}

    assert len(hashes) == 4


def test_system_messages_count_where_they_come_first() -> None:
    first = {"messages": [{"role": "system", "content": "s"}, {"role": "user"}]}
    later = {"messages": [{"role": "user"}, {"role": "system", "content": "s"}]}

    assert prefix_hash(first) != prefix_hash({"messages": []})
    assert prefix_hash(later) == prefix_hash({"messages": []})


def test_half_a_surrogate_pair_is_no_trouble() -> None:
    assert len(prefix_hash({"system": "\ud800"})) == 64
