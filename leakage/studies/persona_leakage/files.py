"""Names of the files in a cell's records that others are made from."""

COMPLETIONS = "completions.parquet"
ANSWERS = "answers.jsonl"
PREDICTORS = "predictors.parquet"
FORECAST = "forecast.parquet"
