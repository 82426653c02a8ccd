"""Content encodings, however they are cut."""

import gzip
import zlib

import brotli
import pytest
import zstandard

from omniroute_addon.engine.encodings import TooLargeError, UnknownEncodingError, decoded, decoder

TEXT = b'{"text": "' + b"hello " * 50 + b'"}'


def _raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


ENCODED = {
    "": TEXT,
    "identity": TEXT,
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    "br": brotli.compress(TEXT),
    "zstd": zstandard.compress(TEXT),
}
COMPRESSED = [name for name in ENCODED if name not in ("", "identity")]


def pieces(encoding: str, data: bytes, size: int) -> bytes:
    reader = decoder(encoding)
    out = [reader.decode(data[start : start + size]) for start in range(0, len(data), size)]
    return b"".join([*out, reader.flush()])


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_every_encoding_is_read_in_every_split(encoding: str, size: int) -> None:
    assert pieces(encoding, ENCODED[encoding], size) == TEXT


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_deflate_without_its_zlib_header_is_read(size: int) -> None:
    assert pieces("deflate", _raw_deflate(TEXT), size) == TEXT


@pytest.mark.parametrize("size", [1, 33, 10_000])
def test_gzip_may_have_several_members_and_padding(size: int) -> None:
    data = gzip.compress(TEXT[:20]) + gzip.compress(TEXT[20:]) + b"\0" * 9
    assert pieces("gzip", data, size) == TEXT


def test_a_gzip_member_may_end_with_its_chunk() -> None:
    reader = decoder("gzip")
    assert reader.decode(gzip.compress(b"one")) + reader.decode(gzip.compress(b"two")) == b"onetwo"


@pytest.mark.parametrize("size", [1, 10_000])
def test_zstd_may_have_several_frames(size: int) -> None:
    data = zstandard.compress(TEXT[:20]) + zstandard.compress(TEXT[20:])
    assert pieces("zstd", data, size) == TEXT


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_bytes_of_another_encoding_are_a_value_error(encoding: str) -> None:
    reader = decoder(encoding)
    with pytest.raises(ValueError, match="broken"):
        reader.decode(b"\xff\xfe this is no compressed body at all")


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_a_broken_end_does_not_undo_what_came_before(encoding: str) -> None:
    body = ENCODED[encoding]
    assert TEXT.startswith(pieces(encoding, body[: len(body) // 2], 8))


def test_names_are_read_without_regard_to_case_and_spaces() -> None:
    assert decoded(gzip.compress(TEXT), " GZip ", 10_000) == TEXT


@pytest.mark.parametrize("encoding", ["compress", "gzip, br"])
def test_an_encoding_without_a_decoder_is_named(encoding: str) -> None:
    with pytest.raises(UnknownEncodingError, match=encoding):
        decoder(encoding)


@pytest.mark.parametrize("encoding", ENCODED)
def test_a_body_larger_than_its_limit_is_refused(encoding: str) -> None:
    with pytest.raises(TooLargeError, match="larger than 300 bytes"):
        decoded(ENCODED[encoding], encoding, 300)


def test_a_bomb_is_given_up_early() -> None:
    with pytest.raises(TooLargeError):
        decoded(gzip.compress(b"\0" * 50_000_000), "gzip", 1_000_000)
