"""Labelled corpora for training and measuring: registry, one adapter for each corpus, fetching, on-topic grades."""

from belowline.data.corpora.registry import ADAPTERS, CORPORA, Corpus, CorpusError, Upstream, read_corpus

__all__ = ["ADAPTERS", "CORPORA", "Corpus", "CorpusError", "Upstream", "read_corpus"]
