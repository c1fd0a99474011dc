"""The warm parent of the children that read files of strangers: it has imported what they need, and no torch."""

from athanor.processes.warm import WarmParent

PARENT = WarmParent("models.data.intake.process", "models.data.intake.preview")
