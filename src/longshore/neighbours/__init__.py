"""The services beside AWS Batch that the start of a job depends on, asked through botocore."""
