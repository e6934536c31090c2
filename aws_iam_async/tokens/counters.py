"""What tokens have done so far."""


class TokenCounters:
    """What happened to tokens so far; shared by the loops of one service.

    Plain additions: with a GIL each is whole, without one a count may be missed and no harm done.
    """

    def __init__(self) -> None:
        self.generations = 0
        self.hits = 0
        self.waits = 0
        self.wait_seconds = 0.0
        self.refreshes = 0
        self.refresh_failures = 0
        self.rejections = 0
