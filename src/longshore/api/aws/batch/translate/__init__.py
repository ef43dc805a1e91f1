"""Between the structures of the AWS Batch API and the domain. Wire types go no further than this."""
