"""What a rendered message contains, found by word lists that are data: labels, elements, opt-out.

reads   the parts of a message and the lists of `lists/*.yaml`; nothing else, no clock, no database
answers names of the closed lists of facts v1, each with the id of the list entry that found it
owns    the lists; what a label forbids is policy's business (`content_must_not` in the packs)
"""
