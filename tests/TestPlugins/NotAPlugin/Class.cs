namespace NotAPlugin;

public static class Class
{
    public static int Answer => 42;
}
