using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.PostProcessors;

/// <summary>Adds the tokens that a model wants around one or two texts, and trims offsets.</summary>
public abstract class PostProcessor
{
    /// <summary>Number of tokens it adds.</summary>
    public abstract int AddedTokens(bool pair);

    /// <summary>The encodings of the texts and of what stands between them, in order.</summary>
    internal abstract List<TokenEncoding> Apply(List<TokenEncoding> encodings, bool addSpecialTokens);

    /// <summary>Writes the component as tokenizer.json has it.</summary>
    internal abstract void Write(Utf8JsonWriter writer);

    /// <summary>The encoding of one or two texts with what is added.</summary>
    internal TokenEncoding Process(TokenEncoding first, TokenEncoding? second, bool addSpecialTokens)
    {
        List<TokenEncoding> encodings = second is null ? [first] : [first, second];
        for (var i = 0; i < encodings.Count; i++)
        {
            encodings[i].SetSequence(i);
            foreach (var window in encodings[i].Overflow) window.SetSequence(i);
            encodings[i].SetTypeIds(i);
        }

        return TokenEncoding.Merge(Apply(encodings, addSpecialTokens));
    }
}

/// <summary>One post-processor after the other.</summary>
public sealed class SequencePostProcessor(IReadOnlyList<PostProcessor> items) : PostProcessor
{
    /// <inheritdoc/>
    public override int AddedTokens(bool pair) => items.Sum(item => item.AddedTokens(pair));

    internal override List<TokenEncoding> Apply(List<TokenEncoding> encodings, bool addSpecialTokens)
    {
        foreach (var item in items) encodings = item.Apply(encodings, addSpecialTokens);
        return encodings;
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Sequence");
        writer.WriteStartArray("processors");
        foreach (var item in items)
        {
            writer.WriteStartObject();
            item.Write(writer);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}

/// <summary>Trims white space from offsets.</summary>
public sealed class ByteLevelPostProcessor(bool addPrefixSpace, bool trimOffsets, bool useRegex) : PostProcessor
{
    /// <inheritdoc/>
    public override int AddedTokens(bool pair) => 0;

    internal override List<TokenEncoding> Apply(List<TokenEncoding> encodings, bool addSpecialTokens)
    {
        for (var i = 0; i < encodings.Count; i++)
        {
            if (trimOffsets) OffsetTrimming.Trim(encodings[i], addPrefixSpace);
            encodings[i].SetSequence(i);
        }

        return encodings;
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", addPrefixSpace);
        writer.WriteBoolean("trim_offsets", trimOffsets);
        writer.WriteBoolean("use_regex", useRegex);
    }
}
