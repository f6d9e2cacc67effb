"""The policy pack: rules that the engine applies to every resource, in `preview` and again in `up`.

Self-contained: it imports nothing else of this repository, and works with any Pulumi program
(`pulumi preview --policy-pack policies`).
"""
