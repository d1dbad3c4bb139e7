"""Keeps the table of words in the model's file as small as it is stored.

The file holds each weight as int8 with one scale a row and turns it into float32 as it is loaded. For the table of
30,522 words that is 47 MB, and as much again on the way, of which a text uses a few rows. Here the three steps "whole
table to float, times its scales, take the rows of this text" become "take the rows, to float, times their scales":
the same numbers (docs/decisions/0007).

The file is an ONNX ModelProto (onnx.proto): protobuf, of which only nodes are read and written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

_WORDS: Final = b"inner.embeddings.word_embeddings.weight"
_GRAPH: Final = 7
_NODE, _NODE_INPUT, _NODE_OUTPUT, _NODE_TYPE, _NODE_ATTRIBUTE = 1, 1, 2, 4, 5
_TO_FLOAT: Final = b"\n\x02to\x18\x01\xa0\x01\x02"
_BYTES = 2  # the wire type of everything that has a length


class _Field(NamedTuple):
    """One field of a message: where it begins with its tag, and where its content lies."""

    number: int
    begin: int
    start: int
    end: int


def with_small_table(model: bytes) -> bytes:
    """The same model, reading rows of its table of words as int8. Raises ValueError for a model of another shape."""
    graph = next(field for field in _fields(model, 0, len(model)) if field.number == _GRAPH)
    pieces: list[bytes] = []
    kept_from, replaced = graph.start, 0
    for field in _fields(model, graph.start, graph.end):
        if field.number == _NODE and _is_replaced(model, field):
            pieces.append(model[kept_from : field.begin])
            if not replaced:
                pieces += [_encoded(_NODE, node) for node in _rows_of_words()]
            kept_from, replaced = field.end, replaced + 1
    if replaced != 3:
        raise ValueError(f"{replaced} of 3 steps found")
    changed = b"".join([*pieces, model[kept_from : graph.end]])
    return model[: graph.begin] + _encoded(_GRAPH, changed) + model[graph.end :]


def _is_replaced(model: bytes, node: _Field) -> bool:
    """Whether this step reads or writes the table as a whole."""
    names = {
        model[field.start : field.end]
        for field in _fields(model, node.start, node.end)
        if field.number in {_NODE_INPUT, _NODE_OUTPUT}
    }
    return bool(names & {_WORDS, _WORDS + b"_f"})


def _rows_of_words() -> Iterator[bytes]:
    yield _node(b"Gather", [_WORDS + b"_q", b"input_ids"], b"rows_q")
    yield _node(b"Gather", [_WORDS + b"_scale", b"input_ids"], b"rows_scale")
    yield _node(b"Cast", [b"rows_q"], b"rows_f", _TO_FLOAT)
    yield _node(b"Mul", [b"rows_f", b"rows_scale"], b"embedding")


def _node(kind: bytes, inputs: list[bytes], output: bytes, *attributes: bytes) -> bytes:
    fields = [(_NODE_INPUT, name) for name in inputs] + [(_NODE_OUTPUT, output), (_NODE_TYPE, kind)]
    fields += [(_NODE_ATTRIBUTE, attribute) for attribute in attributes]
    return b"".join(_encoded(number, content) for number, content in fields)


def _encoded(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def _fields(message: bytes, at: int, end: int) -> Iterator[_Field]:
    """The fields with a length between two places. Graphs and nodes have no number of fixed size beside them."""
    while at < end:
        begin = at
        tag, at = _read_varint(message, at)
        length, at = _read_varint(message, at)
        if tag & 7 == _BYTES:
            yield _Field(tag >> 3, begin, at, at + length)
            at += length


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
