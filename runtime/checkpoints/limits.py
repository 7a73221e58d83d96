"""What a run may still do once it is being stopped."""

from dataclasses import dataclass


@dataclass(slots=True)
class RunLimits:
    """Shared by all that serve one run. Refers to nothing, so that a run that has ended leaves no circle behind."""

    stopped: bool = False
    """It was asked to stop: what its graph comes to does not count."""
    no_step: bool = False
    """Its graph may end in an orderly way, but neither go on nor say anything."""
    sealed: bool = False
    """Nothing of its graph is taken any more, whatever it still does."""

    def seal(self) -> None:
        """Nothing is taken any more."""
        self.no_step = self.sealed = True
