from collections.abc import Mapping

class ApiException(Exception):
    status: int
    headers: Mapping[str, str]

class UnauthorizedException(ApiException): ...
class NotFoundException(ApiException): ...
