"""The return of a service to an earlier image or task definition."""
