class Package:
    cmd: int
    data: bytes
    def __init__(self, cmd: int, data: bytes) -> None: ...
