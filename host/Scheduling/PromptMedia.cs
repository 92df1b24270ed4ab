using System.Collections;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Scheduling;

/// <summary>The media of a prompt, which know whether a model looked at them: what somebody gave is never left out in silence.</summary>
internal sealed class PromptMedia(IReadOnlyList<Contracts.Media> media) : IReadOnlyList<Contracts.Media>
{
    private bool _read;

    /// <inheritdoc/>
    public int Count => Read().Count;

    /// <inheritdoc/>
    public Contracts.Media this[int index] => Read()[index];

    /// <summary>A prompt's media for a model: rows of numbers in a file are a motion, but to a model that takes tensors and no motions.</summary>
    /// <param name="model">The model.</param>
    /// <param name="card">What it takes.</param>
    /// <param name="prompt">What was given.</param>
    /// <exception cref="MediaException">The card names no such kind, or no words. Tensors and tokens stand for any kind.</exception>
    public static PromptMedia For(ModelId model, ModelCard card, Prompt prompt)
    {
        bool Takes(Modality modality) => card.Inputs.Contains(modality);
        if (prompt.Text is { Length: > 0 } words && !Takes(Modality.Text)) throw new MediaException(ErrorCodes.MediaUnsupported, $"{model} takes no words.") { Expected = Kinds(card), Found = $"the prompt '{words}'" };
        var fitting = prompt.Media.Select(item => item is Motion rows && !Takes(Modality.Motion) && Takes(Modality.Tensors) ? ModelVerbs.Rows(rows) : item).ToArray();
        if (Array.Find(fitting, item => item.Modality is not (Modality.Tensors or Modality.Tokens) && !Takes(item.Modality)) is { } other) throw Refused(model, other, Kinds(card));
        return new(fitting);
    }

    /// <summary>Refuses media that nobody looked at.</summary>
    /// <param name="model">The model that did not.</param>
    /// <exception cref="MediaException">There are some.</exception>
    public void ExpectRead(ModelId model)
    {
        if (!_read && media.Count > 0) throw Refused(model, media[0], "a prompt without files");
    }

    /// <inheritdoc/>
    public IEnumerator<Contracts.Media> GetEnumerator() => Read().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static string Kinds(ModelCard card) => string.Join(", ", card.Inputs).ToLowerInvariant();

    private static MediaException Refused(ModelId model, Contracts.Media found, string expected) =>
        new(ErrorCodes.MediaUnsupported, $"{model} generates from no such file.") { Expected = expected, Found = found.Modality.ToString().ToLowerInvariant() };

    private IReadOnlyList<Contracts.Media> Read()
    {
        _read = true;
        return media;
    }
}
