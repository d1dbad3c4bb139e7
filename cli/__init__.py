"""The terminal door: every `lorecast` command."""
