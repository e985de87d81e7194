"""The floor: what one would write with temporalio and the OpenAI SDK alone, in an hour, without a mistake.

Normal activities, plain dictionaries, the default converter, the whole conversation in the input of each model call,
the workflow sandbox as it comes with the SDK's modules passed through.
"""
