from asyncio import StreamReader, StreamWriter

class StreamReaderAdapter:
    def __init__(self, reader: StreamReader) -> None: ...

class StreamWriterAdapter:
    def __init__(self, writer: StreamWriter) -> None: ...
