using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using ModelZoo.Contracts;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Serving.Http;

/// <summary>
/// Reads what a request asks of the queue out of its headers: <c>Request-Timeout</c> in seconds, <c>Request-Priority</c> from 1 (first) to 9, and gRPC's <c>grpc-timeout</c>. A client is its key; without keys, its address.
/// </summary>
internal sealed class RequestTermsReader(RequestDelegate next, KeyRing keys, DataFolder data, TimeProvider clock)
{
    /// <summary>Header with the seconds that a request has, fractions allowed.</summary>
    public const string TimeoutHeader = "Request-Timeout";

    /// <summary>Header with the level of a request.</summary>
    public const string PriorityHeader = "Request-Priority";

    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    public Task InvokeAsync(HttpContext context)
    {
        var headers = context.Request.Headers;
        var terms = new RequestTerms { Client = keys.Current.HasUsers ? Doorkeeper.Key(context.Request) ?? "" : context.Connection.RemoteIpAddress?.ToString() ?? "", Data = data };
        TimeSpan? timeout = headers[TimeoutHeader] is [{ } seconds] ? Seconds(seconds) : headers["grpc-timeout"] is [{ } grpc] ? Grpc(grpc) : null;
        int? priority = headers[PriorityHeader] is [{ } level] ? int.TryParse(level, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? Level(number, PriorityHeader) : throw Wrong(PriorityHeader, Levels, level) : null;
        context.Features.Set(terms.Under(priority, timeout, clock));
        return next(context);
    }

    /// <summary>The verbs with the terms of a request.</summary>
    public static ModelVerbs Verbs(HttpContext context) => context.RequestServices.GetRequiredService<ModelVerbs>().For(Of(context));

    /// <summary>The terms of a request.</summary>
    public static RequestTerms Of(HttpContext context) => context.Features.GetRequiredFeature<RequestTerms>();

    /// <summary>A level of priority; 0, as with Triton, is the usual one.</summary>
    /// <exception cref="ModelZooException">There is no such level.</exception>
    public static int Level(long number, string where) => number == 0 ? RequestTerms.Usual : number is >= RequestTerms.First and <= RequestTerms.Last ? (int)number : throw Wrong(where, Levels, $"{number}");

    /// <summary>A time that a request has; longer than a day is a day.</summary>
    /// <exception cref="ModelZooException">It is no time.</exception>
    public static TimeSpan Time(double seconds, string where) => seconds > 0 ? seconds < Longest.TotalSeconds ? TimeSpan.FromSeconds(seconds) : Longest : throw Wrong(where, "a time above 0", seconds.ToString(CultureInfo.InvariantCulture));

    private static string Levels => $"a whole number from {RequestTerms.First} (served first) to {RequestTerms.Last}; 0 for the usual {RequestTerms.Usual}";

    private static TimeSpan Seconds(string text) => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) ? Time(seconds, TimeoutHeader) : throw Wrong(TimeoutHeader, "seconds, such as 2.5", text);

    // At most eight digits and a unit.
    private static TimeSpan Grpc(string text)
    {
        var unit = text is [.., var last] ? last switch { 'H' => 3600, 'M' => 60, 'S' => 1, 'm' => 1e-3, 'u' => 1e-6, 'n' => 1e-9, _ => 0 } : 0;
        return unit > 0 && text.Length <= 9 && int.TryParse(text.AsSpan(..^1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? Time(number * unit, "grpc-timeout") : throw Wrong("grpc-timeout", "up to 8 digits and one of H, M, S, m, u, n", text);
    }

    private static ModelZooException Wrong(string where, string expected, string found) => new("request.malformed", "What the request asks of the queue cannot be understood.") { Where = where, Expected = expected, Found = found };
}
