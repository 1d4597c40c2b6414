"""The conformance kit's rules, as ``xpot plugins check v1`` tries them."""

from xpot_core.testing import contract_class

TestImporter = contract_class("importer", "xpot")
