using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Networks.Tests.Sampling;

public sealed class TokenDecodingTests
{
    private const int Vocabulary = 6;

    [Fact]
    public async Task Greedy_EachStep_TakesTheMostProbable()
    {
        var tokens = (await new AutoregressiveDecoder(5).GenerateAsync(new FakeTokenModel(Vocabulary), Prompts([1, 2]), seed: 0))[0];
        var (sequence, model) = (new List<int> { 1, 2 }, new FakeTokenModel(Vocabulary));
        foreach (var token in tokens)
        {
            Assert.Equal(LogitProcessing.ArgMax(model.Logits(sequence)), token);
            sequence.Add(token);
        }
    }

    [Fact]
    public async Task Sampling_SequenceOfABatch_IsTheSequenceAlone()
    {
        var decoder = new AutoregressiveDecoder(8) { Sampling = new() { Temperature = 1, TopP = 0.9f } };
        var batch = await decoder.GenerateAsync(new FakeTokenModel(Vocabulary), Prompts([1, 2], [3, 4], [1, 2]), seed: 11);
        var alone = await decoder.GenerateAsync(new FakeTokenModel(Vocabulary), Prompts([3, 4]), seed: 11, firstSample: 1);
        Assert.Equal(batch[1], alone[0]);
        Assert.NotEqual(batch[0], batch[2]);
    }

    [Fact]
    public async Task EndToken_OfOneSequence_DoesNotEndTheOther()
    {
        var free = await new AutoregressiveDecoder(6).GenerateAsync(new FakeTokenModel(Vocabulary), Prompts([1, 2], [3, 4]), 0);
        var end = free[0][1];
        var ended = await new AutoregressiveDecoder(6) { EndTokens = new HashSet<int> { end } }.GenerateAsync(new FakeTokenModel(Vocabulary), Prompts([1, 2], [3, 4]), 0);
        Assert.Equal(free[0].TakeWhile(t => t != end).Append(end), ended[0]);
        Assert.Equal(Array.IndexOf(free[1], end) is var at and >= 0 ? free[1][..(at + 1)] : free[1], ended[1]);
    }

    [Fact]
    public async Task BeamSearch_AsManyBeamsAsSequences_FindsTheBestOfAll()
    {
        // An exhaustive search over all sequences of four tokens.
        var (model, best) = (new FakeTokenModel(3), (Score: double.NegativeInfinity, Tokens: Array.Empty<int>()));
        foreach (var tokens in All(3, 4))
        {
            var (sequence, score) = (new List<int> { 1 }, 0.0);
            foreach (var token in tokens)
            {
                score += Math.Log(LogitProcessing.Probabilities(model.Logits(sequence))[token]);
                sequence.Add(token);
            }

            if (score > best.Score) best = (score, tokens);
        }

        var found = (await new BeamSearch(81, 4).SearchAsync(new FakeTokenModel(3), [1]))[0];
        Assert.Equal(best.Tokens, found.Tokens);
        Assert.Equal(best.Score, found.LogProbability, 1e-4);
        Assert.Equal(best.Score / 4, found.Score, 1e-4);
    }

    [Fact]
    public async Task BeamSearch_OneBeam_IsGreedy()
    {
        var greedy = (await new AutoregressiveDecoder(6).GenerateAsync(new FakeTokenModel(Vocabulary), Prompts([2]), 0))[0];
        Assert.Equal(greedy, (await new BeamSearch(1, 6).SearchAsync(new FakeTokenModel(Vocabulary), [2]))[0].Tokens);
    }

    [Theory]
    [InlineData(EarlyStopping.Heuristic)]
    [InlineData(EarlyStopping.Immediately)]
    [InlineData(EarlyStopping.Never)]
    public async Task BeamSearch_EndTokens_CountAsLengthAndEndSequences(EarlyStopping stopping)
    {
        var found = await new BeamSearch(4, 10) { EndTokens = new HashSet<int> { 0 }, EarlyStopping = stopping, LengthPenalty = 0.7 }.SearchAsync(new FakeTokenModel(Vocabulary), [1], 4);
        Assert.Equal(found.OrderByDescending(h => h.Score), found);
        Assert.All(found, h => Assert.Equal(h.LogProbability / Math.Pow(h.Tokens.Length, 0.7), h.Score, 1e-9));
        Assert.All(found, h => Assert.True(h.Tokens[^1] == 0 || h.Tokens.Length == 10));
        Assert.All(found, h => Assert.DoesNotContain(0, h.Tokens[..^1]));
    }

    [Fact]
    public async Task BeamSearch_ConstrainedByATrie_FindsItsSequencesInOrderOfProbability()
    {
        int[][] items = [[1, 2, 3], [1, 4, 0], [5, 5, 5], [2, 0, 1]];
        var found = await new BeamSearch(4, 3) { Constraint = new TokenTrie(items) }.SearchAsync(new FakeTokenModel(Vocabulary), [3], 4);
        var model = new FakeTokenModel(Vocabulary);
        var expected = items.OrderByDescending(item => item.Select((token, i) => Math.Log(LogitProcessing.Probabilities(model.Logits([3, .. item[..i]]))[token])).Sum());
        Assert.Equal(expected, found.Select(h => h.Tokens));
    }

    [Fact]
    public async Task BeamSearch_SeveralPrompts_EqualsEachAlone()
    {
        var search = new BeamSearch(3, 6) { EndTokens = new HashSet<int> { 0 }, EarlyStopping = EarlyStopping.Immediately };
        var together = await search.SearchAsync(new FakeTokenModel(Vocabulary), Prompts([1, 2], [3, 4], [5, 1]), 3);
        int[][] prompts = [[1, 2], [3, 4], [5, 1]];
        for (var i = 0; i < prompts.Length; i++)
        {
            var alone = await search.SearchAsync(new FakeTokenModel(Vocabulary), prompts[i], 3);
            Assert.Equal(alone.Select(h => string.Join(' ', h.Tokens)), together[i].Select(h => string.Join(' ', h.Tokens)));
            Assert.Equal(alone.Select(h => h.Score), together[i].Select(h => h.Score));
        }
    }

    [Fact]
    public void TokenTrie_Find_GivesTheLastOfEqualSequences()
    {
        var trie = new TokenTrie([[1, 2], [3, 4], [1, 2]], end: 9);
        Assert.Equal((2, 1, -1, -1), (trie.Find([1, 2]), trie.Find([3, 4]), trie.Find([1]), trie.Find([2, 2])));
        Assert.Equal([9], trie.Allowed([3, 4]));
        Assert.Empty(trie.Allowed([3, 4, 9]));
    }

    [Fact]
    public void TokenSets_EachPlace_HasItsOwn()
    {
        var sets = new TokenSets([new HashSet<int> { 1, 2 }, new HashSet<int> { 3 }], start: 1);
        Assert.Equal([3], sets.Allowed([]));
        Assert.Empty(sets.Allowed([3]));
    }

    [Fact]
    public async Task Speculative_AnyDraft_GivesTheTargetsDistribution()
    {
        double[] target = [0.5, 0.3, 0.15, 0.05], draft = [0.1, 0.2, 0.3, 0.4];
        var (counts, generator, position) = (new double[4, 4], new Philox(3), 0UL);
        const int Runs = 40_000;
        for (var run = 0; run < Runs; run++)
        {
            var tokens = await new SpeculativeDecoder(2).StepAsync([], (_, _) => ValueTask.FromResult(draft), (_, _, _) => ValueTask.FromResult(new[] { target, target, target }), () => generator.Uniform(position++));
            for (var i = 0; i < tokens.Length; i++) counts[i, tokens[i]]++;
        }

        for (var id = 0; id < 4; id++) Assert.Equal(target[id], counts[0, id] / Runs, 0.01);
        var second = Enumerable.Range(0, 4).Sum(id => counts[1, id]);
        for (var id = 0; id < 4; id++) Assert.Equal(target[id], counts[1, id] / second, 0.02);
    }

    [Fact]
    public async Task Speculative_DraftIsTheTarget_AcceptsEverything()
    {
        double[] p = [0.25, 0.75];
        var tokens = await new SpeculativeDecoder(5).StepAsync([], (_, _) => ValueTask.FromResult(p), (_, drafted, _) => ValueTask.FromResult(Enumerable.Repeat(p, drafted.Count + 1).ToArray()), () => 0.5);
        Assert.Equal(6, tokens.Length);
    }

    [Fact]
    public async Task Contrastive_AlphaZero_IsGreedy_AndAlphaOneAvoidsRepeatingStates()
    {
        var model = new FakeTokenModel(Vocabulary);
        TokenState State(IReadOnlyList<int> sequence) => new([.. Enumerable.Range(0, Vocabulary).Select(i => i == sequence[^1] ? 1f : 0)], model.Logits(sequence));
        ValueTask<TokenState[]> Look(IReadOnlyList<int> sequence, int[] candidates, CancellationToken cancel) => ValueTask.FromResult(Array.ConvertAll(candidates, c => State([.. sequence, c])));
        var greedy = (await new AutoregressiveDecoder(5).GenerateAsync(new FakeTokenModel(Vocabulary), Prompts([2]), 0))[0];
        Assert.Equal(greedy, await new ContrastiveSearch(3, 0).GenerateAsync([2], [State([2])], Look, 5));
        var different = await new ContrastiveSearch(Vocabulary, 1).GenerateAsync([2], [State([2])], Look, 5);
        Assert.Equal(6, different.Append(2).Distinct().Count());
    }

    [Fact]
    public async Task ResidualDepth_Greedy_TakesTheMostProbableCodeAtEachDepth()
    {
        var model = new FakeTokenModel(Vocabulary);
        float[] Logits(IReadOnlyList<int[]> frames, IReadOnlyList<int> codes) => model.Logits([.. frames.SelectMany(f => f), .. codes]);
        var frames = await new ResidualDepthDecoder(3).GenerateAsync([[1, 2, 3]], 4, (f, c, _) => ValueTask.FromResult(Logits(f, c)), 0);
        var all = new List<int[]> { new[] { 1, 2, 3 } };
        foreach (var frame in frames)
        {
            for (var depth = 0; depth < 3; depth++) Assert.Equal(LogitProcessing.ArgMax(Logits(all, frame[..depth])), frame[depth]);
            all.Add(frame);
        }
    }

    [Fact]
    public void DelayPattern_Undone_IsTheOriginal()
    {
        var codes = new[,] { { 1, 2, 3 }, { 4, 5, 6 } };
        var delayed = DelayPattern.Apply(codes, fill: 9);
        Assert.Equal(new[,] { { 1, 2, 3, 9 }, { 9, 4, 5, 6 } }, delayed);
        Assert.Equal(codes, DelayPattern.Undo(delayed));
    }

    [Theory]
    [InlineData(Remasking.LowConfidence, 4)]
    [InlineData(Remasking.Random, 0)]
    [InlineData(Remasking.Ancestral, 0)]
    public async Task MaskedDiffusion_AllSteps_FillsEveryMaskAndKeepsThePrompt(Remasking remasking, int block)
    {
        const int Mask = 5;
        var model = new FakeTokenModel(Vocabulary);
        var calls = 0;
        var sampler = new MaskedDiffusionSampler(Mask, Vocabulary, Steps: 6) { Remasking = remasking, BlockLength = block, Temperature = 1 };
        var filled = await sampler.FillAsync([1, 2, .. Enumerable.Repeat(Mask, 9)], 2, (tokens, _) =>
        {
            calls++;
            return ValueTask.FromResult(Enumerable.Range(0, tokens.Length).SelectMany(i => model.Logits([.. tokens, i]).Select((x, id) => id == Mask ? float.NegativeInfinity : x)).ToArray());
        }, seed: 4);
        Assert.Equal([1, 2], filled[..2]);
        Assert.DoesNotContain(Mask, filled);
        Assert.InRange(calls, 1, 6);
    }

    [Fact]
    public void Quota_UnevenSteps_SumsToTheMasks() => Assert.Equal([3, 2, 2], MaskedDiffusionSampler.Quota(7, 3));

    private static Tensor<int> Prompts(params int[][] prompts) => Tensor.Create(prompts.SelectMany(p => p).ToArray(), prompts.Length, prompts[0].Length);

    private static IEnumerable<int[]> All(int vocabulary, int length) =>
        length == 0 ? [[]] : All(vocabulary, length - 1).SelectMany(head => Enumerable.Range(0, vocabulary).Select(id => (int[])[.. head, id]));
}
