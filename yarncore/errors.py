"""The exceptions and the warning that are yarncore's own."""


class ConfigError(ValueError):
    """A model's configuration cannot be read as a rotary embedding; the message names the file and the key's path."""


class ConfigWarning(UserWarning):
    """A configuration is read, and there is something in it that the reader should know.

    Attributes
    ----------
    finding : bool
        It makes somebody compute another thing than the file says, or serve another length.
    """

    finding: bool = False


class BackendUnavailable(ValueError):
    """The backend insisted upon cannot rotate this array here; the message says why."""
