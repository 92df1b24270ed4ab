using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.TextTokenizers.Tests;

public class ParityTests
{
    [Theory, ParityCases("text-tokenizers/tokenizer-json")]
    public Task TokenizerJson_ReproducesTheReference(ParityCase @case) => Parity.VerifyAsync<TextTokenizersPlugin>(@case);

    [Theory, ParityCases("text-tokenizers/tiktoken")]
    public Task Tiktoken_ReproducesTheReference(ParityCase @case) => Parity.VerifyAsync<TextTokenizersPlugin>(@case);

    [Theory, ParityCases("text-tokenizers/sentencepiece")]
    public Task SentencePiece_ReproducesTheReference(ParityCase @case) => Parity.VerifyAsync<TextTokenizersPlugin>(@case);

    [Theory, ParityCases("text-tokenizers/superbpe")]
    public Task SuperBpe_ReproducesThePaper(ParityCase @case) => Parity.VerifyAsync<TextTokenizersPlugin>(@case);

    [Theory, ParityCases("text-tokenizers/tokenizer-inference-benchmark")]
    public Task InferenceBenchmark_ReproducesThePaper(ParityCase @case) => Parity.VerifyAsync<TextTokenizersPlugin>(@case);

    [Theory, ParityCases("text-tokenizers/clip")]
    public Task Clip_ReproducesTheReference(ParityCase @case) => Parity.VerifyAsync<TextTokenizersPlugin>(@case);
}
