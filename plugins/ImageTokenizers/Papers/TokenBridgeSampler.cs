using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>How a generation goes on.</summary>
/// <param name="Steps">Steps in which all tokens are predicted.</param>
/// <param name="Guidance">Scale of the guidance; 1 is none.</param>
/// <param name="Grows">Whether the guidance grows with the number of known tokens.</param>
/// <param name="Temperature">0 takes the most probable level.</param>
internal sealed record TokenBridgeSchedule(int Steps, float Guidance, bool Grows, float Temperature);

/// <summary>The authors' <c>forward</c> and <c>sample_tokens</c>: some tokens a step, in a given order, each channel by channel.</summary>
internal sealed class TokenBridgeSampler(TokenBridgeSizes sizes)
{
    private readonly int _channels = sizes.VaeEmbedDim, _count = sizes.Tokens;

    /// <summary>Logits of the masked tokens, given the right previous channels.</summary>
    public async ValueTask<CallResults> ForwardAsync(NetworkSet networks, CallArguments arguments, CancellationToken cancel)
    {
        var (codes, labels, mask) = (arguments.Tensor<long>("codes"), arguments.Tensor<long>("labels"), arguments.Tensor<float>("mask"));
        var places = Enumerable.Range(0, mask.Length).Where(i => mask.Span[i] != 0).ToArray();
        var spatial = await SpatialAsync(networks, codes, labels, [.. mask.Span.ToArray().Select(value => value != 0)], cancel).ConfigureAwait(false);
        var previous = Tensor.Zeros<long>(places.Length, _channels - 1);
        for (var i = 0; i < previous.Length; i++) previous.Span[i] = codes.Span[places[i / (_channels - 1)] * _channels + TokenBridgeNetwork.ChannelOrder[i % (_channels - 1)]];
        var logits = await networks.RunAsync("channels", cancel, ("features", Rows(spatial["mae_decoder"], places)), ("previous", previous)).ConfigureAwait(false);
        return spatial.ToResults().AddRange(logits.ToResults());
    }

    /// <summary>Codes and pictures of classes, with the draws given: exponential (tokens in the order of prediction, C, levels).</summary>
    public async ValueTask<CallResults> SampleAsync(NetworkSet networks, CallArguments arguments, CancellationToken cancel)
    {
        var schedule = new TokenBridgeSchedule(arguments.Literal<int>("num_iter"), arguments.Literal("cfg", 1f), arguments.Literal("cfg_schedule", "linear") == "linear", arguments.Literal("temperature", 1f));
        var (draws, used, size) = (arguments.FindTensor<float>("exponential"), 0, _channels * sizes.QuantLevels);
        float[] Next(int tokens)
        {
            used += tokens;
            return draws is null ? [] : draws.Span.Slice((used - tokens) * size, tokens * size).ToArray();
        }

        var codes = await GenerateAsync(networks, arguments.Tensor<long>("labels"), arguments.Tensor<long>("orders"), schedule, Next, cancel).ConfigureAwait(false);
        var decoded = await networks.RunAsync("decode", cancel, ("codes", codes)).ConfigureAwait(false);
        return new CallResults().AddNumbered("sampled_codes", codes).AddNumbered("sampled_latent", decoded["decoded_latent"]).AddNumbered("sampled_image", decoded["reconstruction"]);
    }

    /// <summary>Codes of classes, (B, L, C).</summary>
    /// <param name="networks">The model's.</param>
    /// <param name="labels">Class of each picture.</param>
    /// <param name="orders">Order in which each picture's tokens stay masked: those first in it are predicted last, (B, L).</param>
    /// <param name="schedule">How it goes on.</param>
    /// <param name="draws">Exponential draws for a number of tokens, (tokens, C, levels); not looked at when the temperature is 0.</param>
    /// <param name="cancel">Stops between steps.</param>
    public async Task<Tensor<long>> GenerateAsync(NetworkSet networks, Tensor<long> labels, Tensor<long> orders, TokenBridgeSchedule schedule, Func<int, float[]> draws, CancellationToken cancel)
    {
        var (batch, nobody) = ((int)labels.Shape[0], Tensor.Create(Enumerable.Repeat((long)sizes.ClassNum, (int)labels.Shape[0]).ToArray(), labels.Shape[0]));
        var codes = Tensor.Zeros<long>(batch, _count, _channels);
        var (mask, masked) = (Enumerable.Repeat(true, batch * _count).ToArray(), _count);
        for (var step = 0; step < schedule.Steps; step++)
        {
            var length = (int)Math.Max(1, Math.Min(masked - 1, Math.Floor(_count * Math.Cos(Math.PI / 2 * (step + 1) / schedule.Steps))));
            var next = new bool[mask.Length];
            for (var i = 0; i < batch * length; i++) next[i / length * _count + (int)orders.Span[i / length * _count + i % length]] = true;
            var places = Enumerable.Range(0, mask.Length).Where(i => step == schedule.Steps - 1 ? mask[i] : mask[i] != next[i]).ToArray();
            if (places.Length > 0)
            {
                var features = Rows((await SpatialAsync(networks, codes, labels, mask, cancel).ConfigureAwait(false))["mae_decoder"], places);
                if (schedule.Guidance != 1)
                {
                    var free = Rows((await SpatialAsync(networks, codes, nobody, mask, cancel).ConfigureAwait(false))["mae_decoder"], places);
                    var scale = schedule.Grows ? 1 + (schedule.Guidance - 1) * (_count - length) / _count : schedule.Guidance;
                    for (var i = 0; i < features.Length; i++) features.Span[i] = free.Span[i] + scale * (features.Span[i] - free.Span[i]);
                }

                var chosen = await ChannelsAsync(networks, features, schedule.Temperature, draws(places.Length), cancel).ConfigureAwait(false);
                for (var i = 0; i < chosen.Length; i++) codes.Span[places[i / _channels] * _channels + TokenBridgeNetwork.ChannelOrder[i % _channels]] = chosen[i];
            }

            (mask, masked) = (next, length);
        }

        return codes;
    }

    // One channel after the other, in the order of prediction: (M, C).
    private async Task<long[]> ChannelsAsync(NetworkSet networks, Tensor<float> features, float temperature, float[] draws, CancellationToken cancel)
    {
        var (count, levels) = ((int)features.Shape[0], sizes.QuantLevels);
        var previous = Tensor.Zeros<long>(count, _channels - 1);
        var chosen = new long[count * _channels];
        for (var channel = 0; channel < _channels; channel++)
        {
            var logits = (await networks.RunAsync("channels_sampling", cancel, ("features", features), ("previous", previous)).ConfigureAwait(false))["channel_logits"];
            for (var token = 0; token < count; token++)
            {
                var at = (token * _channels + channel) * levels;
                var id = Choose(logits.Span.Slice(at, levels), temperature, temperature == 0 ? [] : draws.AsSpan(at, levels));
                chosen[token * _channels + channel] = id;
                if (channel < _channels - 1) previous.Span[token * (_channels - 1) + channel] = id;
            }
        }

        return chosen;
    }

    // argmax softmax(l / T) / q, q exponential: a draw from the softmax.
    private static int Choose(ReadOnlySpan<float> logits, float temperature, ReadOnlySpan<float> draws)
    {
        var (best, most, largest) = (0, float.NegativeInfinity, System.Numerics.Tensors.TensorPrimitives.Max(logits));
        for (var i = 0; i < logits.Length; i++)
        {
            var weight = temperature == 0 ? logits[i] : MathF.Exp((logits[i] - largest) / temperature) / draws[i];
            if (weight > most) (best, most) = (i, weight);
        }

        return best;
    }

    // All pictures have as many masked places.
    private Task<NetworkOutputs> SpatialAsync(NetworkSet networks, Tensor<long> codes, Tensor<long> labels, bool[] mask, CancellationToken cancel)
    {
        var (batch, buffer, seen) = (mask.Length / _count, sizes.BufferSize, mask.AsSpan(0, _count).Count(false));
        var (visible, source) = (Tensor.Zeros<long>(batch, buffer + seen), Tensor.Zeros<long>(batch, buffer + _count));
        for (var picture = 0; picture < batch; picture++)
        {
            for (var (place, next) = (0, 0); place < buffer + _count; place++)
            {
                var hidden = place >= buffer && mask[picture * _count + place - buffer];
                if (!hidden) visible[picture, next] = place;
                source[picture, place] = hidden ? buffer + seen : next++;
            }
        }

        return networks.RunAsync("spatial", cancel, ("codes", codes), ("labels", labels), ("visible", visible), ("source", source));
    }

    // Rows of (B, L, D), counted through the batch: (M, D).
    private static Tensor<float> Rows(Tensor<float> x, int[] places)
    {
        var width = (int)x.Shape[2];
        var rows = Tensor.Zeros<float>(places.Length, width);
        for (var i = 0; i < places.Length; i++) x.Span.Slice(places[i] * width, width).CopyTo(rows.Span[(i * width)..]);
        return rows;
    }
}
