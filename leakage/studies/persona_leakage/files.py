"""Names of the files in a cell's records that others are made from."""

COMPLETIONS = "completions.parquet"
ANSWERS = "answers.jsonl"
PREDICTORS = "predictors.parquet"
MARGINS = "margins.parquet"
TRAJECTORY = "trajectory.parquet"
FORECAST = "forecast.parquet"
