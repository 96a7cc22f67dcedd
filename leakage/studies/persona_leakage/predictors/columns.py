"""Names of predictors' columns in frames: those of the block that was fixed for headlines, and those of all others."""

import re

FIXED, EXPLORED = "predictor_", "explored_"  # what the columns of a frame begin with
_OF_A_BLOCK = re.compile(r"(?P<name>.+?)_(?P<block>\d+)(?P<kind>_raw|_centred)?")


def frame_column(column: str, headline: str) -> str:
    """A record's column as frames call it. headline: the definition fixed beforehand, such as 20_raw

    predictor_kl is of the headline's block, in whatever model that is; explored_kl_7 is of another one.
    """
    match = _OF_A_BLOCK.fullmatch(column)
    if match is None:
        return FIXED + column
    block, _, kind = headline.partition("_")
    fixed = match["block"] == block and match["kind"] in {None, f"_{kind}"}
    return FIXED + match["name"] if fixed else EXPLORED + column
