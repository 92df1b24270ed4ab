using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>MoVQGAN (Zheng et al., arXiv:2209.09002) as ILLUME+ has it: the decoder's norms are modulated by the codes, and levels may move pixels to channels and back beside shortcuts (DC-AE, arXiv:2410.10733).</summary>
internal sealed class MoVq(IllumePixel size, int groups)
{
    private const double Epsilon = 1e-6;

    /// <summary>x (B, 3, H, W) -> (B, Z, h, w).</summary>
    public Value Encode(Scope encoder, Value x)
    {
        Value Norm(Scope scope, Value value) => scope.GroupNorm(value, groups, Epsilon);
        var h = encoder["conv_in"].Conv(x, size.Ch, 3, padding: 1);
        for (var level = 0; level < size.ChMult.Length; level++)
        {
            var down = encoder["down"][level];
            for (var i = 0; i < size.NumResBlocks; i++) h = Block(down, i, h, level, Norm);
            if (level < size.ChMult.Length - 1) h = size.UseDcUpDownBlocks ? Fold(down["downsample.conv"], h) : down["downsample.conv"].Downsample(h, h.Shape[1].Size);
        }

        h = Norm(encoder["norm_out"], Middle(encoder["mid"], h, Norm)).Silu();
        var outputs = (size.DoubleZ ? 2 : 1) * size.ZChannels;
        var z = encoder["conv_out"].Conv(h, outputs, 3, padding: 1);
        return size.UseDcUpDownBlocks ? z + GroupMeans(h, h.Shape[1].Size / outputs) : z;
    }

    /// <summary>z (B, Z, h, w) with the codes (B, C, h, w) -> picture (B, 3, H, W).</summary>
    public Value Decode(Scope decoder, Value z, Value codes)
    {
        Value Norm(Scope scope, Value value)
        {
            var (width, wide) = (value.Shape[1].Size, codes.Interpolate(Interpolation.Nearest, [value.Shape[2], value.Shape[3]]));
            return scope["norm_layer"].GroupNorm(value, groups, Epsilon) * scope["conv_y"].Conv(wide, width, 1) + scope["conv_b"].Conv(wide, width, 1);
        }

        var width = size.Ch * size.ChMult[^1];
        var h = decoder["conv_in"].Conv(z, width, 3, padding: 1);
        if (size.UseDcUpDownBlocks) h += z.RepeatInterleave(1, width / size.EmbedDim);
        h = decoder.Stage("decoder_mid", Middle(decoder["mid"], h, Norm));
        for (var level = size.ChMult.Length - 1; level >= 0; level--)
        {
            var up = decoder["up"][level];
            for (var i = 0; i <= size.NumResBlocks; i++) h = Block(up, i, h, level, Norm);
            if (level > 0) h = size.UseDcUpDownBlocks ? Unfold(up["upsample.conv"], h) : up["upsample.conv"].UpsampleConv(h, h.Shape[1].Size);
        }

        return decoder["conv_out"].Conv(Norm(decoder["norm_out"], h).Silu(), size.OutChannels, 3, padding: 1);
    }

    private Value Block(Scope place, int index, Value h, int level, Func<Scope, Value, Value> norm)
    {
        h = place["block"][index].ResnetBlock(h, size.Ch * size.ChMult[level], norm, "nin_shortcut");
        return size.AttnResolutions.Contains(level) ? Attention(place["attn"][index], h, norm) : h;
    }

    private static Value Middle(Scope middle, Value h, Func<Scope, Value, Value> norm)
    {
        h = middle["block_1"].ResnetBlock(h, h.Shape[1].Size, norm, "nin_shortcut");
        return middle["block_2"].ResnetBlock(Attention(middle["attn_1"], h, norm), h.Shape[1].Size, norm, "nin_shortcut");
    }

    private static Value Attention(Scope attention, Value x, Func<Scope, Value, Value> norm)
    {
        Func<Value, Value> Map(string name) => value => attention[name].PointwiseLinear(value, x.Shape[1].Size);
        return AutoencoderBlocks.SpatialAttention(norm(attention["norm"], x), (Map("q"), Map("k"), Map("v")), Map("proj_out")) + x;
    }

    // A quarter of the channels, then pixels to channels; the shortcut is the mean of each four.
    private static Value Fold(Scope conv, Value h) => conv.Conv(h, h.Shape[1].Size / 4, 3, padding: 1).PixelUnshuffle(2) + GroupMeans(h.PixelUnshuffle(2), 4);

    // Four times the channels, then channels to pixels; the shortcut repeats each channel.
    private static Value Unfold(Scope conv, Value h) => conv.Conv(h, h.Shape[1].Size * 4, 3, padding: 1).PixelShuffle(2) + h.RepeatInterleave(1, 4).PixelShuffle(2);

    private static Value GroupMeans(Value h, long count) => h.Reshape(h.Shape[0], h.Shape[1].Size / count, count, h.Shape[2], h.Shape[3]).Mean(2);
}
