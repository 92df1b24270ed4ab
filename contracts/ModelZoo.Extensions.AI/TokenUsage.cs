using Microsoft.Extensions.AI;
using ModelZoo.Contracts;

namespace ModelZoo.Extensions.AI;

/// <summary>Counts tokens with the model's own tokenizer, where it has one.</summary>
internal static class TokenUsage
{
    /// <summary>What went in and came out; null when the model has no tokenizer of text.</summary>
    public static async Task<UsageDetails?> CountAsync(IModel model, IEnumerable<string> asked, string? answer, CancellationToken cancel)
    {
        if (model.Find<ITokenize>() is not { Takes: Modality.Text } tokenizer) return null;
        async Task<long> Count(string text) => (await tokenizer.TokenizeAsync(new Text(text), tokenizer.TokenizeOptions.Defaults, cancel).ConfigureAwait(false)).Ids.Length;
        var input = 0L;
        foreach (var text in asked) input += await Count(text).ConfigureAwait(false);
        long? output = answer is null ? null : await Count(answer).ConfigureAwait(false);
        return new() { InputTokenCount = input, OutputTokenCount = output, TotalTokenCount = input + (output ?? 0) };
    }
}
