"""How bytes are cut into messages: one file per framing, each usable without any format."""
