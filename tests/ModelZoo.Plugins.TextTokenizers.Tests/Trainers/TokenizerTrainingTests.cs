using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;
using ModelZoo.Plugins.TextTokenizers.Trainers;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Trainers;

public sealed class TokenizerTrainingTests : IDisposable
{
    private const string Sample = "the newest and the widest tokenizer, lower than the lowest: naïve 東京 12345\n";

    private readonly string _folder = Directory.CreateTempSubdirectory("training").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(TokenizerKind.Bpe)]
    [InlineData(TokenizerKind.SuperBpe)]
    [InlineData(TokenizerKind.Unigram)]
    [InlineData(TokenizerKind.WordPiece)]
    public async Task Train_EachKind_WritesATokenizerThatLoads(TokenizerKind kind)
    {
        var stages = new List<string>();
        var result = await new TokenizerTraining().TrainAsync([Corpus()], _folder, new TokenizerTrainingOptions { Kind = kind, VocabSize = 400 }, new Stages(stages), CancellationToken.None);
        Assert.Equal("text-tokenizers/tokenizer-json", result.Architecture.ToString());
        Assert.NotEmpty(stages);
        var tokenizer = TokenizerJson.Load(Path.Combine(_folder, result.Files[0]));
        Assert.InRange(tokenizer.Ids.Count(), 40, 400);
        var ids = tokenizer.EncodeToIds("the newest tokenizer");
        Assert.Equal("the newest tokenizer", tokenizer.Decode(ids, skipSpecialTokens: true).Trim());
        Assert.True(ids.Length < "the newest tokenizer".Length, $"{ids.Length} tokens");
    }

    public static TheoryData<TokenizerTrainingOptions, string> Foreign => new()
    {
        { new() { Lowercase = true }, "lowercase" },
        { new() { TransitionSize = 300 }, "transition_size" },
        { new() { Kind = TokenizerKind.Unigram, Pattern = TrainingPattern.O200k }, "pattern" },
        { new() { Kind = TokenizerKind.Unigram, MinFrequency = 5 }, "min_frequency" },
        { new() { Kind = TokenizerKind.SuperBpe, VocabSize = 400, TransitionSize = 400 }, "transition_size" },
        { new() { Kind = TokenizerKind.Unigram, SpecialTokens = [] }, "special_tokens" },
        { new() { Kind = TokenizerKind.WordPiece, SpecialTokens = ["[PAD]"] }, "special_tokens" },
        { new() { SpecialTokens = ["a", "a"] }, "special_tokens" },
    };

    [Theory, MemberData(nameof(Foreign))]
    public async Task Train_OptionThatTheKindDoesNotHave_IsRefused(TokenizerTrainingOptions options, string where)
    {
        var error = await Assert.ThrowsAsync<OptionsException>(async () => await new TokenizerTraining().TrainAsync([Corpus()], _folder, options, new Stages([])));
        Assert.Equal(where, error.Where);
    }

    [Fact]
    public async Task Train_SpecialTokenThatIsAByteToo_IsThereOnce()
    {
        await new TokenizerTraining().TrainAsync([Corpus()], _folder, new TokenizerTrainingOptions { Kind = TokenizerKind.SuperBpe, VocabSize = 400, SpecialTokens = ["a", "<s>"] }, new Stages([]));
        Assert.Equal("a cat<s>", TokenizerJson.Load(Path.Combine(_folder, "tokenizer.json")) is var tokenizer ? tokenizer.Decode(tokenizer.EncodeToIds("a cat<s>")) : null);
    }

    [Fact]
    public async Task Train_CorpusWithoutText_IsRefused()
    {
        var empty = Path.Combine(_folder, "empty.txt");
        await File.WriteAllTextAsync(empty, "");
        Assert.Equal(ErrorCodes.DatasetInvalid, (await Assert.ThrowsAsync<ModelZooException>(async () => await new TokenizerTraining().TrainAsync([empty], _folder, new TokenizerTrainingOptions(), new Stages([])))).Code);
    }

    [Fact]
    public void Train_Bytes_LearnsWhatTheLibrarysTrainerLearns()
    {
        var trained = TokenizerTraining.Train([Corpus()], new() { VocabSize = 450 }, new Stages([]), CancellationToken.None);
        var words = new TrainingPipeline(null, new ByteLevelPreTokenizer(addPrefixSpace: false, trimOffsets: true, useRegex: true)).Count(CorpusReader.Lines([Corpus()]), CancellationToken.None);
        var expected = BpeTrainer.Train(words, new() { VocabSize = 450, MinFrequency = 2, SpecialTokens = ["<|endoftext|>"], InitialAlphabet = [.. Enumerable.Range(0, 256).Select(b => Pipeline.ByteAlphabet.ToCharacter((byte)b).ToString())] });
        var model = Assert.IsType<BpeModel>(trained.Model);
        Assert.Equal(expected.Merges, model.Merges.Merges.Select(merge => (trained.TokenOf(merge.Left)!, trained.TokenOf(merge.Right)!)));
    }

    [Fact]
    public void Lines_LongLinesAndNoLastNewline_AreTheFile()
    {
        var path = Path.Combine(_folder, "long.txt");
        var text = new string('x', 9_000_000) + "\nshort\n\nend";
        File.WriteAllText(path, text);
        Assert.Equal(text, string.Concat(CorpusReader.Lines([path])));
        Assert.Equal([9_000_001, 6, 1, 3], CorpusReader.Lines([path]).Select(line => line.Length));
    }

    private string Corpus()
    {
        var path = Path.Combine(_folder, "corpus.txt");
        var random = new Random(5);
        var words = Sample.Split(' ');
        var text = new StringBuilder(Sample);
        for (var i = 0; i < 4000; i++) text.Append(words[random.Next(words.Length)]).Append(random.Next(12) == 0 ? '\n' : ' ');
        File.WriteAllText(path, text.ToString());
        return path;
    }

    private sealed class Stages(List<string> stages) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            lock (stages) stages.Add(value.Stage);
        }
    }
}
