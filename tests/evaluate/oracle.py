"""A model that retrieves at known depths: what a grid must then be is known."""

import re

from lm_eval.api.model import LM


class Oracle(LM):
    """It reads the prompt for what is hidden, and tells it where `reads(length, depth)`; elsewhere it tells nothing."""

    def __init__(self, reads):
        super().__init__()
        self.reads = reads
        self.asked = []

    def generate_until(self, requests, disable_tqdm=False):
        self.asked += [request.args[0] for request in requests]
        return [self.answer(request.args[0], request.doc) for request in requests]

    def answer(self, prompt, document):
        if not self.reads(document["length"], document["depth"]):
            return " nothing that was hidden"
        return " " + ", ".join(ANSWERS[document["kind"]](prompt))

    def loglikelihood(self, requests):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


def _chain(prompt):
    """Variables that lead to the value that the question names."""
    last = re.search(r"assigned the value (\d+) in the text", prompt)[1]
    found, links = [], {value: name for name, value in re.findall(r"VAR (\w+) = (?:VAR )?(\w+)\.", prompt)}
    while last in links:
        last = links[last]
        found.append(last)
    return found


def _magic(prompt):
    key = re.search(r"magic numbers? for (\S+) mentioned in the provided text\?", prompt)[1]
    return re.findall(rf"One of the special magic numbers for {key} is: (\d+)\.", prompt)


ANSWERS = {
    "passkey": lambda prompt: re.findall(r"Remember it\. (\d+) is the pass key", prompt),
    "needle": _magic,
    "multi_key": _magic,
    "multi_value": _magic,
    "two_hop": _chain,
}
